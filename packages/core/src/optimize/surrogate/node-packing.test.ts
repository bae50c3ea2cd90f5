import { describe, expect, it } from 'vitest';
import { canPack, packingOf } from './node-packing.js';

const size = (cpuCores: number, gpus = 0) => ({ cpuCores, memoryBytes: 0, gpus });
const group = (cpuCores: number, replicas: number, gpus = 0) => ({ resources: size(cpuCores, gpus), replicas });

describe('packing on machines', () => {
  it('needs room on one machine, not in the sum', () => {
    expect(canPack([group(3, 1)], [{ ...size(2), count: 2 }])).toBe(false);
    expect(canPack([group(2, 2)], [{ ...size(2), count: 2 }])).toBe(true);
  });

  it('finds what first fit misses', () => {
    // In the second case, first-fit puts 6 and 5 together. Then the last 3 fits nowhere.
    expect(canPack([group(5, 1), group(4, 1), group(3, 5)], [{ ...size(12), count: 2 }])).toBe(true);
    expect(canPack([group(6, 1), group(5, 1), group(4, 1), group(3, 3)], [{ ...size(12), count: 2 }])).toBe(true);
  });

  it('counts every resource', () => {
    expect(canPack([group(1, 2, 1)], [{ ...size(8, 1), count: 1 }])).toBe(false);
    expect(canPack([group(1, 2, 1)], [{ ...size(1, 1), count: 2 }])).toBe(true);
  });

  it('says where it could not settle the question', () => {
    // In sum they fit, but a machine holds at most three. Proving that 14 are too few takes too long.
    const groups = Array.from({ length: 15 }, (_, i) => group(0.26 + 0.004 * i, 3));
    const machines = [{ ...size(1), count: 14 }];
    expect(packingOf(groups, machines)).toBe('unsettled');
    expect(packingOf([group(0.34, 60)], [{ ...size(1), count: 25 }])).toBe('too-large');
    expect(packingOf([group(0.3, 1), group(0.8, 2)], [{ ...size(1), count: 2 }])).toBe('too-large');
  });

  it('takes no replicas at all on no machines', () => {
    expect(canPack([], [])).toBe(true);
    expect(canPack([group(1, 1)], [])).toBe(false);
  });
});
