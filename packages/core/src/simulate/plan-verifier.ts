/**
 * Verification as the planner calls it: one load, many plans. A verdict is a function of its key (plan, load, SLO, host): the seed is drawn
 * from the load and the SLO and not from the order of questions, so what is remembered changes how long an answer takes and nothing else,
 * and plans that are compared see the same arrivals. An inconclusive verdict gets four times the work once, unless much more would not
 * decide it either: of 300 reruns in simulated loops 86 were of this kind, and none of them passed; of M/M/1 with the SLO just above the
 * percentile one in fifty would have. What is inconclusive in the end is reported so and counts as a miss.
 */
import { LruCache } from '../kernel/lru-cache.js';
import { SeededRng } from '../kernel/rng.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Slo } from '../model/pipeline-spec.js';
import type { Plan, PlanVerification } from '../model/plan.js';
import { DEFAULT_WORK_STAGE_REQUESTS, type VerificationInput, verificationRun, verifyPlan } from './verify-plan.js';

const MORE_WORK = 4;
/** Verdicts that are remembered, a few hundred bytes each. */
const REMEMBERED = 4096;
const TWO_POW_32 = 2 ** 32;

/** What stays the same from load to load; `remembered` verdicts are kept (4096 without it). */
export interface VerifierInput extends Omit<VerificationInput, keyof ExpectedLoad | 'workStageRequests'> {
  readonly workStageRequests?: number;
  readonly remembered?: number;
}

/** A function that simulates a plan against an SLO; the spec's own SLO is replaced by the one asked for. */
export type PlanVerifier = (plan: Plan, slo: Slo) => PlanVerification;

/** Verifiers of one pipeline by the load to verify at, sharing one memory of verdicts for as long as this function lives. */
export function verifiersOf(input: VerifierInput): (load: ExpectedLoad) => PlanVerifier {
  const { workStageRequests = DEFAULT_WORK_STAGE_REQUESTS, remembered = REMEMBERED, ...rest } = input;
  const verdicts = new LruCache<PlanVerification>(remembered);
  return (expected) => {
    const load = loadOf(expected);
    return (plan, slo) => {
      // A plan above the budget answers what a larger budget would do, and that has a larger host.
      const hostCores = Math.max(input.hostCores, Math.ceil(plan.predicted.cpuCores));
      const question = JSON.stringify([slo.latencyMs, slo.percentile, load]);
      return verdicts.remember(`${planKey(plan)} ${hostCores} ${question}`, () => {
        const seed = Math.floor(new SeededRng(input.seed).fork(question).next() * TWO_POW_32);
        const asked = { ...rest, ...load, hostCores, seed, spec: { ...input.spec, slo } };
        const first = verificationRun({ ...asked, workStageRequests }, plan);
        return first.undecided
          ? verifyPlan({ ...asked, workStageRequests: workStageRequests * MORE_WORK }, plan)
          : first.verification;
      });
    };
  };
}

/** A verifier for one load. */
export function planVerifier(input: VerificationInput): PlanVerifier {
  const { arrivalRps: _, burstiness: __, envelope: ___, backlog: ____, ...rest } = input;
  return verifiersOf(rest)(input);
}

/** The load alone, its fields in one order. */
function loadOf({ arrivalRps, burstiness, envelope, backlog }: ExpectedLoad): ExpectedLoad {
  return { arrivalRps, ...(burstiness && { burstiness }), ...(envelope && { envelope }), ...(backlog && { backlog }) };
}

/** All that a simulation reads of a plan. */
function planKey({ stages }: Plan): string {
  return Object.entries(stages)
    .flatMap(([id, mixture]) =>
      mixture.map((of) =>
        [id, of.variantId, of.resources.cpuCores, of.maxBatchSize, of.maxBatchWaitMs, of.replicas].join(':'),
      ),
    )
    .join(' ');
}
