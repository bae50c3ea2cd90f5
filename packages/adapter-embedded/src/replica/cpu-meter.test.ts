import { describe, expect, it } from 'vitest';
import { CpuMeter, threadCpuMs } from './cpu-meter.js';

describe('a CPU meter', () => {
  it('counts the CPU time since the previous batch, and waits of the event loop only during a batch', () => {
    const now = { cpuMs: 100, idleMs: 1000 };
    const meter = new CpuMeter(
      () => now.cpuMs,
      () => now.idleMs,
    );
    meter.batchStarted();
    now.cpuMs += 3;
    expect(meter.batchEnded()).toBe(3);
    now.cpuMs += 1;
    now.idleMs += 500;
    meter.batchStarted();
    now.cpuMs += 2;
    now.idleMs += 20;
    expect(meter.batchEnded()).toBe(1 + 2 + 20);
  });

  it('tells nothing if the system tells nothing', () => {
    const meter = new CpuMeter(() => undefined);
    meter.batchStarted();
    expect(meter.batchEnded()).toBeUndefined();
  });
});

// A kernel without scheduler statistics reports nothing.
describe.runIf(threadCpuMs() !== undefined)('the CPU time of a thread', () => {
  it('grows with its work', () => {
    const beforeMs = threadCpuMs() as number;
    while ((threadCpuMs() as number) < beforeMs + 10);
    expect(threadCpuMs()).toBeGreaterThanOrEqual(beforeMs + 10);
  });
});
