/** Load of the machine: CPU time of others and stolen time, as fractions of all cores. Waits for calm moments. */
import { readFileSync } from 'node:fs';

const TICK_MS = 10;

/** CPU times since boot, in ms over all cores. `urgentMs`: programs at usual or higher priority. */
export interface MachineTimes {
  readonly busyMs: number;
  readonly urgentMs: number;
  readonly stolenMs: number;
  readonly allMs: number;
}

export function machineTimes(): MachineTimes {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, stolen = 0] = ticks;
  const busy = user + nice + system + irq + softIrq;
  return {
    busyMs: busy * TICK_MS,
    urgentMs: user * TICK_MS,
    stolenMs: stolen * TICK_MS,
    allMs: (busy + idle + wait + stolen) * TICK_MS,
  };
}

/** Difference of two instants, minus the benchmark's CPU time. */
export function othersSince(before: MachineTimes, ownCpuMs: number) {
  const now = machineTimes();
  const allMs = now.allMs - before.allMs;
  return {
    otherCpuFraction: Math.max(0, now.busyMs - before.busyMs - ownCpuMs) / allMs,
    stolenFraction: (now.stolenMs - before.stolenMs) / allMs,
  };
}

const LOOK_MS = 100;
const CALM_FRACTION = 0.05;

/**
 * Waits, at most `mostMs`, until no other program computes at usual priority. Returns the time waited. No part of the
 * benchmark may run meanwhile.
 */
export async function waitForCalm(mostMs: number): Promise<number> {
  const startedAtMs = performance.now();
  while (performance.now() - startedAtMs < mostMs) {
    const before = machineTimes();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = machineTimes();
    if (now.urgentMs - before.urgentMs <= CALM_FRACTION * (now.allMs - before.allMs)) break;
  }
  return performance.now() - startedAtMs;
}
