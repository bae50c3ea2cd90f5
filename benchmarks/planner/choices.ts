/** Time of a plan with optional members, thresholds, shares by variant and quorums, relative to the same pipeline without. */
import { medianOf } from '../../packages/core/src/kernel/count-statistics.js';
import { optimize } from '../../packages/core/src/optimize/optimize.js';
import type { Estimator } from '../../packages/core/src/optimize/planning-problem.js';
import { planCases } from '../../packages/core/src/optimize/problem/plan-cases.js';
import { choiceInstance } from './choice-instances.js';

/** CPU times, medians of repeats. `cases`: problems that the choices make of one. */
export interface ChoiceTimes {
  readonly seed: number;
  readonly fixedMs: number;
  readonly openMs: number;
  readonly cases: number;
}

/** By estimator; with quorums, `ESTIMATOR, quorums`. */
export type ChoiceFigures = Readonly<Record<Estimator | `${Estimator}, quorums`, readonly ChoiceTimes[]>>;

const INSTANCES = 40;
const MOST_SEEDS = 200;
const WARM_UP = 4;
const REPEATS = 3;

function medianMs(run: () => unknown): number {
  const times = Array.from({ length: REPEATS }, () => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return medianOf(times);
}

/** Undefined if one of the two has no plan: then most of the time goes into advice. */
function timesOf(seed: number, estimator: Estimator, hasQuorums: boolean): ChoiceTimes | undefined {
  const { fixed, open } = choiceInstance(seed, estimator, { hasQuorums });
  if ([fixed, open].some((problem) => optimize(problem).kind !== 'feasible')) return undefined;
  const fixedMs = medianMs(() => optimize({ ...fixed }));
  const openMs = medianMs(() => optimize({ ...open }));
  return { seed, fixedMs, openMs, cases: planCases(open).length };
}

export function measureChoices(): ChoiceFigures {
  const of = (estimator: Estimator, hasQuorums = false): readonly ChoiceTimes[] => {
    for (let seed = 0; seed < WARM_UP; seed++) timesOf(1000 + seed, estimator, hasQuorums);
    const times: ChoiceTimes[] = [];
    for (let seed = 0; times.length < INSTANCES && seed < MOST_SEEDS; seed++) {
      const found = timesOf(seed, estimator, hasQuorums);
      if (found !== undefined) times.push(found);
    }
    return times;
  };
  return {
    'sum-of-tails': of('sum-of-tails'),
    distribution: of('distribution'),
    'sum-of-tails, quorums': of('sum-of-tails', true),
    'distribution, quorums': of('distribution', true),
  };
}

/** Ratios of open to fixed, ascending. */
export const ratiosOf = (times: readonly ChoiceTimes[]): readonly number[] =>
  times.map(({ fixedMs, openMs }) => openMs / fixedMs).sort((a, b) => a - b);
