/** Time of a plan with optional members, thresholds, shares by variant and quorums, relative to the same pipeline without. */
import { medianOf } from '../../packages/core/src/kernel/count-statistics.js';
import { optimize } from '../../packages/core/src/optimize/optimize.js';
import type { Estimator, PlanningProblem } from '../../packages/core/src/optimize/planning-problem.js';
import { planCases } from '../../packages/core/src/optimize/problem/plan-cases.js';
import { choiceInstance } from './choice-instances.js';

/** CPU times, medians of repeats. `cases`: problems that the choices make of one. */
export interface ChoiceTimes {
  readonly seed: number;
  readonly fixedMs: number;
  readonly openMs: number;
  readonly cases: number;
}

type Plans = Estimator | `${Estimator}, quorums`;

/**
 * By estimator; with quorums, `ESTIMATOR, quorums`. Later plans of a pipeline, with new limits or loads as after a tick;
 * the planner keeps its curves and cases. First plans only where their fixed work counts.
 */
export type ChoiceFigures = Readonly<
  Record<Plans | `${Extract<Plans, `sum-of-tails${string}`>}, first plans`, readonly ChoiceTimes[]>
>;

const INSTANCES = 40;
const MOST_SEEDS = 200;
const WARM_UP = 4;
const REPEATS = 3;

/** The problem of each repeat. */
type Repeat = (problem: PlanningProblem) => PlanningProblem;

const later: Repeat = (problem) => ({ ...problem });
/** Nothing is known of the pipeline, as if it were read from a file. */
const first: Repeat = (problem) => ({
  ...problem,
  profiles: [...problem.profiles],
  spec: structuredClone(problem.spec),
});

function medianMs(problem: PlanningProblem, repeat: Repeat): number {
  const times = Array.from({ length: REPEATS }, () => {
    const repeated = repeat(problem);
    const before = process.cpuUsage();
    optimize(repeated);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return medianOf(times);
}

interface ChoiceQuestion {
  readonly hasQuorums: boolean;
  readonly repeat: Repeat;
}

/** Undefined if one of the two has no plan: then most of the time goes into advice. */
function timesOf(seed: number, estimator: Estimator, { hasQuorums, repeat }: ChoiceQuestion): ChoiceTimes | undefined {
  const { fixed, open } = choiceInstance(seed, estimator, { hasQuorums });
  if ([fixed, open].some((problem) => optimize(problem).kind !== 'feasible')) return undefined;
  const fixedMs = medianMs(fixed, repeat);
  const openMs = medianMs(open, repeat);
  return { seed, fixedMs, openMs, cases: planCases(open).length };
}

export function measureChoices(): ChoiceFigures {
  const of = (estimator: Estimator, hasQuorums = false, repeat = later): readonly ChoiceTimes[] => {
    for (let seed = 0; seed < WARM_UP; seed++) timesOf(1000 + seed, estimator, { hasQuorums, repeat });
    const times: ChoiceTimes[] = [];
    for (let seed = 0; times.length < INSTANCES && seed < MOST_SEEDS; seed++) {
      const found = timesOf(seed, estimator, { hasQuorums, repeat });
      if (found !== undefined) times.push(found);
    }
    return times;
  };
  return {
    'sum-of-tails': of('sum-of-tails'),
    distribution: of('distribution'),
    'sum-of-tails, quorums': of('sum-of-tails', true),
    'distribution, quorums': of('distribution', true),
    'sum-of-tails, first plans': of('sum-of-tails', false, first),
    'sum-of-tails, quorums, first plans': of('sum-of-tails', true, first),
  };
}

/** Ratios of open to fixed, ascending. */
export const ratiosOf = (times: readonly ChoiceTimes[]): readonly number[] =>
  times.map(({ fixedMs, openMs }) => openMs / fixedMs).sort((a, b) => a - b);
