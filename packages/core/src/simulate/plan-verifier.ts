/**
 * Verifies many plans for the planner, under common random numbers. Compared plans get equal arrivals. For another
 * rate, Poisson arrivals are the same, scaled in time, so that verdicts differ by the problem, not by chance. A plan
 * that holds must hold with a second seed, too: the best of many plans with one seed is partly the luckiest. An
 * inconclusive verdict is rerun once with four times the work. If the rerun is inconclusive, too, the plan counts as a
 * miss.
 */
import { LruCache } from '../kernel/lru-cache.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Slo } from '../model/pipeline-spec.js';
import { type Plan, type SimulatedRun, type StagePeak, showsSloMet } from '../model/plan.js';
import { plannedCurves } from '../profile/service-curves.js';
import { DEFAULT_WORK_STAGE_REQUESTS, type VerificationInput, verifyPlan } from './verify-plan.js';

const MORE_WORK = 4;
/** Seed of the second run − that of the first. */
const NEXT_SEED = 7_919;
/** Maximum cached verdicts, of a few hundred bytes each. */
const REMEMBERED = 4096;

/** Input for all loads. `remembered`: maximum cached verdicts (default 4096). */
export interface VerifierInput extends Omit<VerificationInput, keyof ExpectedLoad | 'workStageRequests'> {
  readonly workStageRequests?: number;
  readonly remembered?: number;
}

/**
 * Verifies a plan for `slo`, which replaces that of the spec. With a `workFraction` of the usual work, nothing is
 * rerun.
 */
export type PlanVerifier = (plan: Plan, slo: Slo, workFraction?: number) => SimulatedRun;

/** Verifiers by load, with a common cache. They simulate with the spec's `robustness`. */
export function verifiersOf(input: VerifierInput): (load: ExpectedLoad) => PlanVerifier {
  const { workStageRequests = DEFAULT_WORK_STAGE_REQUESTS, remembered = REMEMBERED, ...rest } = input;
  const curves = plannedCurves(input.curves);
  const verdicts = new LruCache<SimulatedRun>(remembered);
  return (expected) => {
    const load = loadOf(expected);
    return (plan, slo, workFraction) => {
      // Plans above the budget need a larger host.
      const hostCores = Math.max(input.hostCores, Math.ceil(plan.predicted.cpuCores));
      const question = JSON.stringify([slo.latencyMs, slo.percentile, load]);
      const run = (fraction: number): SimulatedRun => {
        const work = workStageRequests * fraction;
        const runWith = (seed: number): SimulatedRun => {
          const asked = { ...rest, ...load, curves, hostCores, seed, spec: { ...input.spec, slo } };
          return verifyPlan({ ...asked, workStageRequests: work }, plan);
        };
        return verdicts.remember(`${planKey(plan)} ${hostCores} ${work} ${question}`, () => {
          const first = runWith(input.seed);
          return fraction < 1 || !showsSloMet(first) ? first : worseOf(first, runWith(input.seed + NEXT_SEED));
        });
      };
      if (workFraction !== undefined) return run(workFraction);
      const first = run(1);
      const { peaks: _, lowFraction: __, ...verification } = first.conclusive ? first : run(MORE_WORK);
      return verification;
    };
  };
}

/** The run with more late requests. Conclusive only if both are. */
function worseOf(first: SimulatedRun, second: SimulatedRun): SimulatedRun {
  const worse = second.sloAttainmentFraction < first.sloAttainmentFraction ? second : first;
  const peaks = first.peaks?.map((peak, s) => largerOf(peak, second.peaks?.[s] ?? peak));
  return {
    ...worse,
    conclusive: first.conclusive && second.conclusive,
    seeds: [...first.seeds, ...second.seeds],
    ...(peaks && { peaks }),
  };
}

const largerOf = (a: StagePeak, b: StagePeak): StagePeak => ({
  batchSize: Math.max(a.batchSize, b.batchSize),
  replicas: Math.max(a.replicas, b.replicas),
});

export function planVerifier(input: VerificationInput): PlanVerifier {
  const { arrivalRps: _, burstiness: __, envelope: ___, backlog: ____, ...rest } = input;
  return verifiersOf(rest)(input);
}

function loadOf({ arrivalRps, burstiness, envelope, backlog }: ExpectedLoad): ExpectedLoad {
  return { arrivalRps, ...(burstiness && { burstiness }), ...(envelope && { envelope }), ...(backlog && { backlog }) };
}

function planKey({ stages }: Plan): string {
  return Object.entries(stages)
    .flatMap(([id, mixture]) =>
      mixture.map((of) =>
        [
          ...[id, of.variantId, of.resources.cpuCores, of.maxBatchSize, of.maxBatchWaitMs, of.replicas],
          ...[of.threshold, of.quorum],
        ].join(':'),
      ),
    )
    .join(' ');
}
