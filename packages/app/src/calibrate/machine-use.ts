/** CPU use of this machine by other programs, measured over a short time. */
import { cpus } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

/** CPU times (ms) since an earlier moment, summed over the cores: in all, busy, and of this process. */
export interface CpuTimes {
  readonly cores: number;
  readonly allMs: number;
  readonly busyMs: number;
  readonly ownMs: number;
}

/** `otherCores`: mean number of cores that other programs used. */
export interface MachineUse {
  readonly cores: number;
  readonly otherCores: number;
  /** Other programs use enough to lengthen latencies. */
  readonly isBusy: boolean;
}

const SAMPLE_MS = 1000;
/** Fraction of all cores. A system at rest takes less. */
const MOST_OTHER_USE = 0.05;

export async function measureMachineUse(
  cpuTimes: () => CpuTimes = machineCpuTimes,
  elapse: () => Promise<unknown> = () => wait(SAMPLE_MS),
): Promise<MachineUse> {
  const before = cpuTimes();
  await elapse();
  const after = cpuTimes();
  const { cores } = after;
  const otherMs = after.busyMs - before.busyMs - (after.ownMs - before.ownMs);
  const fraction = Math.max(0, otherMs) / Math.max(1, after.allMs - before.allMs);
  return { cores, otherCores: fraction * cores, isBusy: fraction > MOST_OTHER_USE };
}

export const otherUseText = ({ otherCores, cores }: MachineUse): string =>
  `${otherCores.toFixed(1)} of the ${cores} cores of this machine`;

function machineCpuTimes(): CpuTimes {
  const times = cpus().map((core) => core.times);
  const sum = (of: (core: (typeof times)[number]) => number) => times.reduce((total, core) => total + of(core), 0);
  const busyMs = sum(({ user, nice, sys, irq }) => user + nice + sys + irq);
  const { user, system } = process.cpuUsage();
  return { cores: times.length, allMs: busyMs + sum(({ idle }) => idle), busyMs, ownMs: (user + system) / 1000 };
}
