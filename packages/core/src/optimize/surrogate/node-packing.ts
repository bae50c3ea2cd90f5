/**
 * Packs replicas on machines of given sizes: first-fit decreasing, then a bounded search, which may be inconclusive.
 */
import type { NodeGroup, Resources } from '../../model/pipeline-spec.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import type { SurrogateChoice } from '../options/surrogate.js';
import { isWithin, totalUse } from '../problem/resource-use.js';

export interface ReplicaGroup {
  readonly resources: Resources;
  readonly replicas: number;
}

export type Packing = 'fits' | 'too-large' | 'unsettled';

const MOST_STEPS = 20_000;
const ROUNDING = 1e-9;

interface Machine {
  cpuCores: number;
  memoryBytes: number;
  gpus: number;
}

const fits = (need: Resources, free: Machine): boolean =>
  need.cpuCores <= free.cpuCores + ROUNDING &&
  need.memoryBytes <= free.memoryBytes + ROUNDING &&
  need.gpus <= free.gpus + ROUNDING;

function take(free: Machine, need: Resources, times: number): void {
  free.cpuCores -= times * need.cpuCores;
  free.memoryBytes -= times * need.memoryBytes;
  free.gpus -= times * need.gpus;
}

const machinesOf = (nodes: readonly NodeGroup[]): readonly Machine[] =>
  nodes.flatMap(({ count, cpuCores, memoryBytes, gpus }) =>
    Array.from({ length: count }, () => ({ cpuCores, memoryBytes, gpus })),
  );

function itemsOf(groups: readonly ReplicaGroup[], machines: readonly Machine[]): readonly Resources[] {
  const total = { cpuCores: 0, memoryBytes: 0, gpus: 0 };
  for (const machine of machines) take(total, machine, -1);
  const share = ({ cpuCores, memoryBytes, gpus }: Resources): number =>
    Math.max(cpuCores / (total.cpuCores || 1), memoryBytes / (total.memoryBytes || 1), gpus / (total.gpus || 1));
  const sorted = [...groups].sort((a, b) => share(b.resources) - share(a.resources));
  return sorted.flatMap(({ resources, replicas }) => Array.from({ length: replicas }, () => resources));
}

function firstFit(items: readonly Resources[], machines: readonly Machine[]): boolean {
  return items.every((item) => {
    const machine = machines.find((free) => fits(item, free));
    if (machine !== undefined) take(machine, item, 1);
    return machine !== undefined;
  });
}

const sizeOf = ({ cpuCores, memoryBytes, gpus }: Machine): string => `${cpuCores} ${memoryBytes} ${gpus}`;

function searchFit(items: readonly Resources[], machines: readonly Machine[]): Packing {
  let steps = 0;
  const place = (i: number): boolean => {
    const item = items[i];
    if (item === undefined) return true;
    const tried = new Set<string>();
    for (const machine of machines) {
      const size = sizeOf(machine);
      if (tried.has(size) || !fits(item, machine)) continue;
      tried.add(size);
      if (++steps > MOST_STEPS) return false;
      take(machine, item, 1);
      if (place(i + 1)) return true;
      take(machine, item, -1);
    }
    return false;
  };
  if (place(0)) return 'fits';
  return steps > MOST_STEPS ? 'unsettled' : 'too-large';
}

/** For replicas of one size, first-fit is exact. `copies`: number of equal plans on the machines. */
export function packingOf(plan: readonly ReplicaGroup[], nodes: readonly NodeGroup[], copies = 1): Packing {
  const machines = machinesOf(nodes);
  const groups = plan.map(({ resources, replicas }) => ({ resources, replicas: copies * replicas }));
  const items = itemsOf(groups, machines);
  if (firstFit(items, machinesOf(nodes))) return 'fits';
  return groups.length === 1 ? 'too-large' : searchFit(items, machines);
}

export const canPack = (groups: readonly ReplicaGroup[], nodes: readonly NodeGroup[], copies?: number): boolean =>
  packingOf(groups, nodes, copies) === 'fits';

/** True if a choice keeps the budgets and, with `nodes`, fits on the machines. */
export function fitsLimits(
  { limits, spec }: Pick<PreparedProblem, 'limits' | 'spec'>,
  choice: SurrogateChoice,
): boolean {
  const options = choice.map(({ option }) => option);
  const use = totalUse(options.map((option) => option.use));
  if (use.some((amount, r) => !isWithin(amount, limits[r] as number))) return false;
  return spec.nodes === undefined || canPack(options, spec.nodes, spec.copies);
}
