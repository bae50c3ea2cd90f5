/**
 * Guardrails: pure checks that keep the loop from making things worse. Hourly limit, back-off and step size restrict
 * improvements only. A change that the SLO requires never waits.
 */
import type { Decision } from '../../model/decision.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import { isOfKind, liveReplicas, type RunningPlan } from '../../model/running-plan.js';
import { type BackOff, holdsBack } from '../../serve/rollout/trial.js';
import { diffPlans } from '../diff-plans.js';
import { withLeastReplicas } from '../plan-facts.js';
import type { GuardrailRules } from '../rules.js';
import type { Situation } from '../situation.js';
import { burnObjection } from './burn-guard.js';

export type ApplyDecision = Extract<Decision, { kind: 'apply' }>;

export interface ChangesSoFar {
  readonly appliedAtMs: readonly number[];
  readonly nowMs: number;
  readonly running?: Plan | undefined;
}

const HOUR_MS = 3_600_000;
/** Minimum saving or PAS gain when the hourly limit is nearly reached. */
const LAST_SAVING_FRACTION = 0.2;
const LAST_PAS = 0.02;

export function guardDecision(
  { rules: { guardrails }, spec, observation: { atMs, outcomes, runningPlan }, runningPlan: running }: Situation,
  { appliedAtMs, backOff }: { readonly appliedAtMs: readonly number[]; readonly backOff?: BackOff | undefined },
  decision: Decision,
): Decision {
  if (guardrails === undefined || decision.kind === 'hold' || decision.evidence.necessary === true) return decision;
  const objection =
    burnObjection(outcomes, spec.slo.percentile, { plan: decision.plan, running: runningPlan }) ??
    changesObjection(decision, { appliedAtMs, nowMs: atMs, running }, guardrails) ??
    backOffObjection(backOff, atMs);
  if (objection !== undefined)
    return passOver({ kind: 'hold', reason: objection, evidence: decision.evidence }, decision.plan, objection);
  const plan = limitDownstep(spec, { plan: decision.plan, running: runningPlan }, guardrails);
  return { ...decision, plan, changes: diffPlans(runningPlan, plan, spec) };
}

export function passOver(decision: Decision, plan: Plan, reason: string): Decision {
  return { ...decision, evidence: { ...decision.evidence, passedOver: { plan, reason } } };
}

export function inLastHour(atMs: readonly number[], nowMs: number): readonly number[] {
  return atMs.filter((each) => each > nowMs - HOUR_MS && each <= nowMs);
}

/**
 * Reason why the hourly limit delays an improvement; undefined if it does not. The fewer changes are left, the larger
 * the gain must be.
 */
function changesObjection(
  { evidence, plan }: ApplyDecision,
  { appliedAtMs, nowMs, running }: ChangesSoFar,
  { mostChangesPerHour }: GuardrailRules,
): string | undefined {
  const count = inLastHour(appliedAtMs, nowMs).length;
  if (evidence.necessary === true) return undefined;
  if (count >= mostChangesPerHour) return `${count} changes in the last hour: only what is necessary is done`;
  if (running === undefined || running.predicted.costPerHour === 0) return undefined;
  const scarcity = (count / mostChangesPerHour) ** 2;
  const saved = 1 - plan.predicted.costPerHour / running.predicted.costPerHour;
  const gainedPas = plan.predicted.pas - running.predicted.pas;
  if (saved >= LAST_SAVING_FRACTION * scarcity || gainedPas >= LAST_PAS * scarcity) return undefined;
  return `${count} changes in the last hour: this one gains too little`;
}

function backOffObjection(backOff: BackOff | undefined, nowMs: number): string | undefined {
  if (backOff === undefined || !holdsBack(backOff, nowMs)) return undefined;
  const { failures, untilMs } = backOff;
  const waitS = Math.ceil((untilMs - nowMs) / 1000);
  return `the last ${failures === 1 ? 'improvement' : `${failures} improvements`} had to be taken back: no other for ${waitS} s`;
}

/** The plan with shrinking limited to `largestDownstepFraction` per stage, if the budget allows it. */
function limitDownstep(
  spec: PipelineSpec,
  { plan, running }: { readonly plan: Plan; readonly running: RunningPlan },
  { largestDownstepFraction }: GuardrailRules,
): Plan {
  return withLeastReplicas(spec, plan, (id, stagePlan) => {
    const present = liveReplicas(running.stages[id]).filter((replica) => isOfKind(replica, stagePlan)).length;
    return Math.ceil((1 - largestDownstepFraction) * present);
  });
}
