/** What else the machine did meanwhile: CPU time of others and time stolen by the host, as fractions of all cores' time. */
import { readFileSync } from 'node:fs';

const TICK_MS = 10;

/** CPU times since boot, in ms over all cores. */
export interface MachineTimes {
  readonly busyMs: number;
  readonly stolenMs: number;
  readonly allMs: number;
}

/** Now. */
export function machineTimes(): MachineTimes {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, stolen = 0] = ticks;
  const busy = user + nice + system + irq + softIrq;
  return { busyMs: busy * TICK_MS, stolenMs: stolen * TICK_MS, allMs: (busy + idle + wait + stolen) * TICK_MS };
}

/** Between two instants, less the CPU time of the benchmark itself. */
export function othersSince(before: MachineTimes, ownCpuMs: number) {
  const now = machineTimes();
  const allMs = now.allMs - before.allMs;
  return {
    otherCpuFraction: Math.max(0, now.busyMs - before.busyMs - ownCpuMs) / allMs,
    stolenFraction: (now.stolenMs - before.stolenMs) / allMs,
  };
}
