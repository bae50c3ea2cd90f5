/** Time that the hypervisor took from this machine, in clock ticks. */
import { readFileSync } from 'node:fs';

export interface MachineTicks {
  readonly stolen: number;
  readonly all: number;
}

export function machineTicks(): MachineTicks {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return { stolen: ticks[7] ?? 0, all: ticks.reduce((sum, each) => sum + each, 0) };
}

export function stolenSince(before: MachineTicks): number {
  const now = machineTicks();
  return (now.stolen - before.stolen) / Math.max(1, now.all - before.all);
}
