/**
 * CPU time of the demo by who spent it: the main thread (which takes requests in, forms batches and answers) against everything
 * this process computes. Per-thread times come from Linux's /proc; elsewhere the split is unknown.
 */
import { readFileSync } from 'node:fs';

/** Kernel ticks per second that /proc counts in. */
const TICKS_PER_S = 100;

/** CPU seconds since the process started; `mainThreadS` is undefined where the system does not tell. */
export interface CpuTimes {
  readonly processS: number;
  readonly mainThreadS: number | undefined;
}

/** Reads the CPU times now. */
export function cpuTimes(): CpuTimes {
  const { user, system } = process.cpuUsage();
  return { processS: (user + system) / 1e6, mainThreadS: mainThreadSeconds() };
}

function mainThreadSeconds(): number | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  } catch {
    return undefined;
  }
}

/** Share of the main thread and the load generator in all CPU time between two readings. */
export function overheadFraction(before: CpuTimes, after: CpuTimes, loadGeneratorS: number): number | undefined {
  if (before.mainThreadS === undefined || after.mainThreadS === undefined) return undefined;
  const overheadS = after.mainThreadS - before.mainThreadS + loadGeneratorS;
  return overheadS / (after.processS - before.processS + loadGeneratorS);
}
