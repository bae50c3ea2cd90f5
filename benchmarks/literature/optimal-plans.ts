/**
 * Exhaustive search for a better plan than the policy's, among all plans that carry the load's rate (variant × cores ×
 * batch size × replicas). A better plan has at least the same PAS and at most the same cores, and is better in one of
 * them. A simulation verifies it. If there is none, the policy is optimal in that interval.
 */
import type { ControlContext } from '@equipoise/core/control';
import {
  type DecisionEvidence,
  type PipelineSpec,
  type Plan,
  type StagePlan,
  type StageSpec,
  showsSloMet,
  variantChoice,
} from '@equipoise/core/model';
import { capacityRps, pipelineAccuracy } from '@equipoise/core/plan';
import { grid } from './grid.js';

/** Plan and its load. */
export interface PlannedInterval {
  readonly atMs: number;
  readonly plan: Plan;
  readonly load: NonNullable<DecisionEvidence['load']>;
}

type Judging = Pick<ControlContext, 'spec' | 'curves' | 'verifierAt'>;

interface StageWay {
  readonly stagePlan: StagePlan;
  readonly cpuCores: number;
}

const LEAST_GAIN_PAS = 1e-6;

/** Ways to run a stage at a rate on a limited number of cores. */
function waysOf(
  { curves }: Judging,
  stage: StageSpec,
  at: { readonly rps: number; readonly cores: number },
): readonly StageWay[] {
  return stage.variants.flatMap((variant) =>
    variant.cpuCores.flatMap((cpuCores) => {
      const curve = curves.curve(stage.id, variant.id, cpuCores);
      if (curve === undefined) return [];
      return curve.batchSizes.flatMap((maxBatchSize) => {
        const least = Math.floor(at.rps / capacityRps(curve, 1, maxBatchSize)) + 1;
        const most = Math.floor(at.cores / cpuCores + 1e-9);
        return Array.from({ length: Math.max(0, most - least + 1) }, (_, i) => {
          const replicas = least + i;
          const resources = { cpuCores, memoryBytes: 0, gpus: 0 };
          const stagePlan = {
            variantId: variant.id,
            resources,
            maxBatchSize,
            maxBatchWaitMs: 0,
            replicas,
            trafficFraction: 1,
          };
          return { stagePlan, cpuCores: replicas * cpuCores };
        });
      });
    }),
  );
}

/** All plans within `cores`. */
function plansWithin(
  judging: Judging,
  at: { readonly rps: number; readonly cores: number },
): readonly (readonly StageWay[])[] {
  return judging.spec.stages.reduce<readonly (readonly StageWay[])[]>(
    (plans, stage) =>
      plans.flatMap((ways) => {
        const left = at.cores - ways.reduce((sum, way) => sum + way.cpuCores, 0);
        return waysOf(judging, stage, { rps: at.rps, cores: left }).map((way) => [...ways, way]);
      }),
    [[]],
  );
}

function planFrom(spec: PipelineSpec, ways: readonly StageWay[]): Plan {
  const stages = Object.fromEntries(spec.stages.map(({ id }, i) => [id, [(ways[i] as StageWay).stagePlan]]));
  const cpuCores = ways.reduce((sum, way) => sum + way.cpuCores, 0);
  const { pas } = pipelineAccuracy(spec, variantChoice(stages));
  const predicted = {
    latencyMs: 0,
    percentile: spec.slo.percentile,
    pas,
    capacityRps: 0,
    cpuCores,
    costPerHour: cpuCores,
  };
  return { stages, predicted };
}

function canBeImproved(judging: Judging, { plan, load }: PlannedInterval): boolean {
  const { pas, cpuCores } = plan.predicted;
  const verify = judging.verifierAt(load);
  const candidates = plansWithin(judging, { rps: load.arrivalRps, cores: cpuCores })
    .map((ways) => planFrom(judging.spec, ways))
    .filter(({ predicted }) => {
      const gained = predicted.pas - pas;
      return gained >= -1e-9 && (gained > LEAST_GAIN_PAS || predicted.cpuCores < cpuCores - 1e-9);
    })
    // Plans with spare capacity come first, because they are most likely to pass verification.
    .sort((a, b) => b.predicted.cpuCores - a.predicted.cpuCores || a.predicted.pas - b.predicted.pas);
  return candidates.some((candidate) => showsSloMet(verify(candidate, judging.spec.slo)));
}

/** Number of measured intervals with a better plan. */
export function dominated(judging: Judging, intervals: readonly PlannedInterval[]): number {
  const known = new Map<string, boolean>();
  const measured = intervals.filter(({ atMs }) => atMs >= grid.excludeFirstS * 1000);
  return measured.filter((interval) => {
    const key = JSON.stringify([interval.plan.stages, interval.load]);
    const answer = known.get(key) ?? canBeImproved(judging, interval);
    known.set(key, answer);
    return answer;
  }).length;
}
