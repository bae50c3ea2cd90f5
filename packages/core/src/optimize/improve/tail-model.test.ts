import { describe, expect, it } from 'vitest';
import { TailModel } from './tail-model.js';

describe('tail model', () => {
  it('learns how fast late requests become fewer, by runs near the SLO', () => {
    const tail = new TailModel();
    const before = tail.uncertainty;
    expect(tail.slope).toBeCloseTo(5);
    for (const ratio of [-0.1, -0.05, 0.05, 0.1]) tail.observe(ratio, 12 * ratio, 100);
    expect(tail.slope).toBeGreaterThan(11);
    expect(tail.slope).toBeLessThan(12);
    expect(tail.uncertainty).toBeLessThan(before / 4);
  });

  it('ignores runs far from the SLO and runs without late requests', () => {
    const tail = new TailModel();
    tail.observe(1, 30, 1000);
    tail.observe(-0.1, Number.NEGATIVE_INFINITY, 0);
    expect(tail.slope).toBeCloseTo(5);
  });
});
