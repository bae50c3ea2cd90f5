/**
 * The planner against the `ipa` policy on the published video profiles, both with the sum of tails. At every rate the
 * planner gets the cost of IPA's plan as its budget. Also reports if IPA's plan meets the SLO in a simulation at that
 * rate.
 */

import { showsSloMet } from '@equipoise/core/model';
import type { Plan } from '../../packages/core/src/model/plan.js';
import { ipa } from '../../packages/core/src/optimize/baselines/ipa.js';
import { optimize } from '../../packages/core/src/optimize/optimize.js';
import { curvesOf } from '../../packages/core/src/profile/service-curves.js';
import { planVerifier } from '../../packages/core/src/simulate/plan-verifier.js';
import { videoPipeline } from './ipa-video.js';

export interface IpaRow {
  readonly arrivalRps: number;
  readonly cost: number;
  readonly ipaPas: number;
  readonly ownPas: number;
  readonly ipaPlan: string;
  readonly ownPlan: string;
  readonly ipaSurvives: boolean;
  readonly ownSurvives: boolean;
}

/** All rates, and the omitted profile points. */
export interface IpaFigures {
  readonly rows: readonly IpaRow[];
  readonly leftOut: readonly string[];
}

const RATES = Array.from({ length: 40 }, (_, i) => i + 1);
const WORK = 100_000;

const planText = (plan: Plan): string =>
  Object.values(plan.stages)
    .map(([s]) => `${s?.replicas} × ${s?.variantId} on ${s?.resources.cpuCores}, batch ${s?.maxBatchSize}`)
    .join('; ');

/** Compares at 1 to 40 rps. */
export function measureAgainstIpa(referenceDir: string): IpaFigures {
  const { spec, leftOut } = videoPipeline(referenceDir);
  const curves = curvesOf(spec, []);
  if (curves.kind === 'invalid') throw new Error(curves.problems.map((p) => p.message).join('\n'));
  const rows = RATES.flatMap((arrivalRps): IpaRow[] => {
    const problem = { spec, profiles: [], arrivalRps, estimator: 'sum-of-tails' } as const;
    const theirs = ipa(problem);
    if (theirs.kind !== 'feasible') return [];
    const cost = theirs.plan.predicted.costPerHour;
    const own = optimize({ ...problem, budget: { costPerHour: cost }, objective: { kind: 'max-accuracy' } });
    if (own.kind !== 'feasible') throw new Error(`no plan at ${arrivalRps} rps for what IPA's costs`);
    const verify = planVerifier({ spec, curves, arrivalRps, hostCores: Infinity, seed: 1, workStageRequests: WORK });
    return [
      {
        arrivalRps,
        cost,
        ipaPas: theirs.plan.predicted.pas,
        ownPas: own.plan.predicted.pas,
        ipaPlan: planText(theirs.plan),
        ownPlan: planText(own.plan),
        ipaSurvives: showsSloMet(verify(theirs.plan, spec.slo)),
        ownSurvives: showsSloMet(verify(own.plan, spec.slo)),
      },
    ];
  });
  return { rows, leftOut };
}
