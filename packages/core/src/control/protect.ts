/**
 * Fast loop: at each tick it compares arrivals with the planned load, and adds capacity at once. It plans by the
 * estimate alone, in milliseconds, and keeps running replicas if the budget allows it.
 *
 * It counts arrivals in windows of many lengths that end now. The bound of each window is the maximum that the planned
 * load brings by chance: a probabilistic traffic envelope (Le Boudec and Thiran, Network Calculus, 2001). Short windows
 * detect a large step at once, long windows a small rise.
 *
 * Even a gradual rise cannot wait for the slow loop in two cases. If replicas start slowly, the fast loop adds replicas of
 * the running variants once the forecast exceeds the planned load. If a change under way delays the slow loop, the fast
 * loop acts once even the mean forecast exceeds what the running replicas sustain.
 *
 * While a source of metrics is stale, the other sources give a lower bound of the load.
 */

import type { Change } from '../model/change.js';
import type { Burst, Decision, DecisionEvidence, Forecast, LoadObservation } from '../model/decision.js';
import type { PinsByStage } from '../model/decision-record.js';
import { type ArrivalEnvelope, type Burstiness, dispersionAt, type ExpectedLoad } from '../model/expected-load.js';
import type { Plan } from '../model/plan.js';
import { diffPlans, diffUnderWay } from './diff-plans.js';
import { largestFeasibleRate } from './feasible-rate.js';
import { variantPins } from './guard/switching.js';
import { isSamePlan, withoutShrinking } from './plan-facts.js';
import { type PlannedRate, plannedArrivals, rateBucketEnd } from './planned-load.js';
import type { Situation } from './situation.js';

export interface Protection {
  readonly decision: Extract<Decision, { kind: 'apply' }>;
  readonly load: ExpectedLoad;
}

export interface Rise {
  readonly forecast: Forecast;
  readonly cause: NonNullable<DecisionEvidence['rise']>;
}

export interface ProtectedLoad {
  readonly planned: ExpectedLoad;
  /** True if a burst was answered recently. */
  readonly inBurst: boolean;
  /** Rise that cannot wait for the slow loop, if any. */
  readonly rise: Rise | undefined;
  readonly underWay: Plan['stages'] | undefined;
}

/** Rate (rps) that replicas can serve within a latency. */
export interface Carried {
  readonly rps: number;
  readonly sloMs: number;
}

export interface WindowBounds {
  readonly carried?: Carried;
  readonly inBurst?: boolean;
  /** Planned rates of the last minute, oldest first, at the time `nowMs`. */
  readonly before?: { readonly rates: readonly PlannedRate[]; readonly nowMs: number };
}

const WINDOWS_S = [0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60];
/** Standard deviations that chance exceeds in one of 300,000 windows: one false alarm a day over all lengths. */
const RARE_Z = 4.5;
/** The same for one of 160 windows. Used after a burst, when another is likely. */
const LIKELY_Z = 2.5;
/** Standard errors added to a burst's rate, because few arrivals determine it. */
const MARGIN_ERRORS = 1;
/** The fast loop plans if forecast ÷ planned rate exceeds this: one rate bucket. */
const OUTGROWN = 1.05;
const RISE_TEXT: Readonly<Record<Rise['cause'], string>> = {
  'slow-starts': 'the load rises, and replicas start slowly',
  'held-up': 'the load rises, and a change under way delays the next plan',
};

/** Protects against a load above `planned`; undefined if protection is not needed or impossible. */
export function protect(situation: Situation, protectedLoad: ProtectedLoad): Protection | undefined {
  const { planned, underWay } = protectedLoad;
  const { spec, observation } = situation;
  const need = needOf(situation, protectedLoad);
  if (need === undefined) return undefined;
  const load: ExpectedLoad = { arrivalRps: need.evidence.forecast.upperRps };
  const plan = protectivePlan(situation, load.arrivalRps, need.maySwitch);
  if (plan === undefined) return undefined;
  const isChanging = observation.changing === true;
  // The change under way has the same target.
  if (isChanging && isSamePlan(plan.stages, underWay)) return undefined;
  const diff = isChanging ? diffUnderWay : diffPlans;
  const changes = diff(observation.runningPlan, plan, spec);
  if (changes.length === 0) return undefined;
  if (observation.staleSources.length > 0 && changes.some(takesAway)) return undefined;
  const [from, to] = [planned.arrivalRps, load.arrivalRps].map((rps) => rps.toFixed(1));
  const reason = `${need.why}: room for ${to} rps in place of ${from}`;
  const evidence = { ...need.evidence, load, necessary: true };
  return { load, decision: { kind: 'apply', plan, changes, reason, evidence } };
}

/** Load above the planned one. Only a burst, or a rise during a change, may switch variants. */
interface Need {
  readonly evidence: Pick<DecisionEvidence, 'forecast' | 'burst' | 'rise'>;
  readonly maySwitch: boolean;
  readonly why: string;
}

function needOf(situation: Situation, { planned, inBurst, rise }: ProtectedLoad): Need | undefined {
  const burst = detectBurst(situation.observation.load, allowedEnvelope(situation, planned, inBurst));
  const outgrown = rise !== undefined && rise.forecast.upperRps > OUTGROWN * planned.arrivalRps ? rise : undefined;
  if (burst !== undefined) {
    const upperRps = rateBucketEnd(Math.max(outgrown?.forecast.upperRps ?? 0, burstRps(burst)));
    const forecast = { method: 'burst', meanRps: burst.rateRps, upperRps };
    return { evidence: { forecast, burst }, maySwitch: true, why: burstText(burst) };
  }
  if (outgrown === undefined) return undefined;
  const { cause, forecast } = outgrown;
  const evidence = {
    forecast: { method: 'rise', meanRps: forecast.meanRps, upperRps: rateBucketEnd(forecast.upperRps) },
    rise: cause,
  };
  return { evidence, maySwitch: cause === 'held-up', why: RISE_TEXT[cause] };
}

const burstText = ({ arrivals, windowS, plannedArrivals }: Burst): string =>
  `${arrivals} arrivals in ${windowS} s, planned were at most ${Math.floor(plannedArrivals)}`;

/**
 * Changes to carry out. Burst answers and roll-backs skip the canary. A variant in `pins` has a canary of one step,
 * because a person chose it and waits for it. The answer to a rise that a change delays skips other canaries.
 */
export function changesToApply(
  { changes, evidence }: Extract<Decision, { kind: 'apply' }>,
  { isAtOnce = false, pins = {} }: { readonly isAtOnce?: boolean; readonly pins?: PinsByStage } = {},
): readonly Change[] {
  if (evidence.burst !== undefined || isAtOnce) return changes.map((change) => ({ ...change, atOnce: true }));
  return changes.map((change) => {
    if (pins[change.stageId]?.variantId === change.to.variantId) return { ...change, oneStep: true };
    return evidence.rise === 'held-up' ? { ...change, atOnce: true } : change;
  });
}

function takesAway(change: Change): boolean {
  if (change.kind === 'scale') return change.to.replicas < change.fromReplicas;
  return change.kind !== 'set-batch';
}

/** The planned envelope. The capacity of the running replicas limits its allowance for burstiness. */
function allowedEnvelope(situation: Situation, planned: ExpectedLoad, inBurst: boolean): ArrivalEnvelope {
  const { spec, rates, observation } = situation;
  const bounds = { inBurst, before: { rates, nowMs: observation.atMs } };
  const sustainable = planned.burstiness === undefined ? undefined : situation.sustainableLoad;
  if (sustainable === undefined) return plannedEnvelope(planned, bounds);
  const carried = { rps: sustainable.arrivalRps, sloMs: spec.slo.latencyMs };
  return plannedEnvelope(planned, { carried, ...bounds });
}

/** Arrivals by window that are no burst, now and for the next minute: the planned rates of the last minute pass. */
export function quietEnvelope(situation: Situation, planned: ExpectedLoad): ArrivalEnvelope {
  const now = allowedEnvelope(situation, planned, false);
  const later = allowedEnvelope(situation.withoutRates, planned, false);
  return now.map(({ windowS, arrivals }, index) => ({
    windowS,
    arrivals: Math.min(arrivals, later[index]?.arrivals ?? arrivals),
  }));
}

/** Rate (rps) to plan for in a burst: rate of the burst plus a margin. */
function burstRps({ arrivals, windowS, rateRps }: Burst): number {
  return rateRps + (MARGIN_ERRORS * Math.sqrt(arrivals)) / windowS;
}

/**
 * Plan for a rate by the estimate. It keeps replicas, and the running variants if they can serve the rate. Otherwise it
 * switches variants if it may. The plan uses no variant in back-off, which would get all requests at once.
 */
function protectivePlan(asked: Situation, arrivalRps: number, maySwitch: boolean): Plan | undefined {
  const situation = asked.withoutRolledBack ?? asked;
  const { spec, rules, accuracyFloor, runningStages: running, observation } = situation;
  const { profiles, policy, guardrails } = rules;
  const { runningPlan } = observation;
  const problem = { spec, profiles, arrivalRps, runningPlan, estimator: 'distribution' } as const;
  const kept = guardrails && running ? policy.plan({ ...problem, pins: variantPins(spec, running) }) : undefined;
  if (!maySwitch && kept?.kind !== 'feasible') return undefined;
  const result = kept?.kind === 'feasible' ? kept : policy.plan(problem);
  // With a floor, an infeasible burst is served as far as the budget allows.
  const wanted =
    result.kind === 'feasible'
      ? result.plan
      : accuracyFloor === undefined
        ? result.bestEffort
        : largestFeasibleRate(situation, arrivalRps)?.plan;
  return wanted && withoutShrinking(spec, wanted, running);
}

/**
 * Maximum plausible arrivals per window at the planned load, at least the planned envelope. That envelope alone is too
 * low, because it only covers the last minutes.
 *
 * Burstiness raises the bound, with `carried` at most to what replicas serve until half an SLO after the window. The
 * bound is never below that of Poisson arrivals. `inBurst` lowers both. `before`: plans in force earlier in a window.
 */
export function plannedEnvelope(
  { arrivalRps, burstiness, envelope = [] }: ExpectedLoad,
  { carried, inBurst = false, before = { rates: [], nowMs: 0 } }: WindowBounds = {},
): ArrivalEnvelope {
  const z = inBurst ? LIKELY_Z : RARE_Z;
  return WINDOWS_S.map((windowS) => {
    const mean = plannedArrivals(before.rates, { windowS, arrivalRps, nowMs: before.nowMs });
    const byChance = (of: Burstiness | undefined) => mostByChance({ mean, windowS, z }, of);
    const inTime = carried ? carried.rps * (windowS + carried.sloMs / 2000) : Number.POSITIVE_INFINITY;
    const inEnvelope = envelope.filter((each) => each.windowS <= windowS).map(({ arrivals }) => arrivals);
    return { windowS, arrivals: Math.max(byChance(undefined), Math.min(byChance(burstiness), inTime), ...inEnvelope) };
  });
}

interface Chance {
  readonly mean: number;
  readonly windowS: number;
  readonly z: number;
}

/** Mean plus z standard deviations. The last term corrects for the skewness of small counts (Cornish and Fisher). */
function mostByChance({ mean, windowS, z }: Chance, burstiness: Burstiness | undefined): number {
  const dispersion = burstiness === undefined ? 1 : dispersionAt(burstiness, windowS * 1000);
  return mean + z * Math.sqrt(dispersion * mean) + (dispersion * (z ** 2 - 1)) / 6;
}

/**
 * The window whose arrivals exceed `planned`; undefined if none do. Of several, the one with the largest rate
 * minus one standard error.
 */
export function detectBurst(
  { arrivalsPerSecond, latest = [] }: Pick<LoadObservation, 'arrivalsPerSecond' | 'latest'>,
  planned: ArrivalEnvelope,
): Burst | undefined {
  let found: Burst | undefined;
  let mostRps = Number.NEGATIVE_INFINITY;
  let [inSeconds, seconds] = [0, 0];
  for (const { windowS, arrivals: plannedArrivals } of planned) {
    while (seconds < Math.min(windowS, arrivalsPerSecond.length)) {
      seconds += 1;
      inSeconds += arrivalsPerSecond[arrivalsPerSecond.length - seconds] as number;
    }
    const whole = seconds === windowS ? inSeconds : 0;
    const arrivals = Math.max(whole, ...latest.filter((each) => each.windowS === windowS).map((each) => each.arrivals));
    const leastRps = (arrivals - Math.sqrt(arrivals)) / windowS;
    if (arrivals <= plannedArrivals || leastRps <= mostRps) continue;
    mostRps = leastRps;
    found = { windowS, arrivals, plannedArrivals, rateRps: arrivals / windowS };
  }
  return found;
}
