/** CPU time of the main thread (requests, batches, answers) and of the process. Times of threads need Linux's /proc. */
import { readFileSync } from 'node:fs';

const TICKS_PER_S = 100;

/** CPU time since the process started; `mainThreadS` is undefined if unknown. */
export interface CpuTimes {
  readonly processS: number;
  readonly mainThreadS: number | undefined;
}

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

/** CPU time of main thread and load generator ÷ all CPU time, between two readings. */
export function overheadFraction(before: CpuTimes, after: CpuTimes, loadGeneratorS: number): number | undefined {
  if (before.mainThreadS === undefined || after.mainThreadS === undefined) return undefined;
  const overheadS = after.mainThreadS - before.mainThreadS + loadGeneratorS;
  return overheadS / (after.processS - before.processS + loadGeneratorS);
}
