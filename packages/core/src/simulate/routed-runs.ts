/** Runs of several routers as one run. Each router has its own queues, replicas and share of the requests. */
import type { SimulationRun } from './simulation-input.js';
import { SimulationTally } from './simulation-tally.js';
import type { MeanUse } from './use-meter.js';

/** Sum of the runs, which are of the same pipeline and last equally long. Requires at least one run. */
export function mergeRuns(runs: readonly SimulationRun[], sloLatencyMs: number): SimulationRun {
  const [first, ...others] = runs;
  if (first === undefined) throw new RangeError('mergeRuns needs at least one run');
  if (others.length === 0) return first;
  const tally = new SimulationTally(first.graph.stages.length, sloLatencyMs);
  for (const run of runs) tally.merge(run.tally);
  return {
    tally,
    graph: first.graph,
    endedAtMs: Math.max(...runs.map(({ endedAtMs }) => endedAtMs)),
    meanUse: sumOfUses(runs.map(({ meanUse }) => meanUse)),
  };
}

/** The routers serve at the same time, so their uses add up. */
function sumOfUses(uses: readonly MeanUse[]): MeanUse {
  const sum = (amountOf: (use: MeanUse) => number) => uses.reduce((total, use) => total + amountOf(use), 0);
  return {
    resources: {
      cpuCores: sum(({ resources }) => resources.cpuCores),
      memoryBytes: sum(({ resources }) => resources.memoryBytes),
      gpus: sum(({ resources }) => resources.gpus),
    },
    stages: (uses[0] as MeanUse).stages.map((_, index) => ({
      replicas: sum(({ stages }) => stages[index]?.replicas ?? 0),
      capacityRps: sum(({ stages }) => stages[index]?.capacityRps ?? 0),
    })),
    durationMs: Math.max(...uses.map(({ durationMs }) => durationMs)),
  };
}
