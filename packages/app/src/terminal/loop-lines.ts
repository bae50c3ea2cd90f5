/**
 * Log lines of the control loop. Repeated failures, holds and advice are logged once. A decision to act is logged as
 * `apply` once its changes are carried out.
 */
import type { ControlMode, Decision, DecisionRecord, ObservedOutcome, Plan } from '@equipoise/core/model';
import { type CanaryEvent, type LoopEvent, messageOf, pinsText } from '@equipoise/runtime';
import pc from 'picocolors';
import { servedPlan, unexplainedMiss } from './decision-text.js';
import { choiceText, rateText } from './plan-table.js';

const isDrop = (step: string): boolean => step === 'accuracy' || step === 'agreement';

export class LoopLines {
  #told: string | undefined;
  /** Logged failures by step, until the step works again. */
  readonly #toldFailures = new Map<string, string>();
  readonly #applying = new Map<number, Decision>();
  /** Plan in force; undefined if it is not known. */
  #served: Plan | undefined;
  #misses = false;
  #newestObservedId = 0;

  /** Line for an event; undefined if it is no news. */
  of(event: LoopEvent): string | undefined {
    switch (event.kind) {
      case 'failed':
        return this.#failed(event.step, messageOf(event.error));
      case 'recovered':
        this.#toldFailures.delete(event.step);
        return pc.green(isDrop(event.step) ? `the ${event.step} is as expected again` : `${event.step} works again`);
      case 'in-force':
        this.#served = event.plan;
        return `plan in force after ${event.tookMs.toFixed(0)} ms: ${choiceText(event.plan)}`;
      case 'manual':
        this.#told = undefined;
        return manualText(event.record, event.mode);
      case 'decided':
        return this.#decided(event.record);
      case 'replica-replaced':
        return pc.yellow(`a replica of ${event.stageId} is replaced: ${messageOf(event.error)}`);
      case 'input-quarantined':
        return pc.yellow(quarantineText(event));
      case 'canary':
        return canaryText(event);
      case 'amended':
        return event.observed === undefined ? this.#ended(event) : this.#observed(event.id, event.observed);
    }
  }

  #failed(step: string, message: string): string | undefined {
    if (this.#toldFailures.get(step) === message) return undefined;
    this.#toldFailures.set(step, message);
    return `${pc.red(isDrop(step) ? `lower ${step}` : `${step} failed`)}: ${message}`;
  }

  #decided({ id, decision, mode, trigger, observation }: DecidedRecord): string | undefined {
    if (decision.kind === 'hold') this.#served = servedPlan({ decision, observation });
    // The first plan and changes by hand are applied in mode advise, too.
    const isOfLoop = trigger !== 'start' && trigger !== 'manual';
    const isAdvice = decision.kind === 'apply' && mode === 'advise' && isOfLoop;
    const unacted = decision.kind === 'hold' || isAdvice ? `${decision.kind} ${subjectOf(decision)}` : undefined;
    const isKnown = unacted !== undefined && unacted === this.#told;
    this.#told = unacted;
    if (unacted === undefined) this.#applying.set(id, decision);
    if (unacted === undefined || isKnown) return undefined;
    return `${pc.dim(`[${id}]`)} ${decisionText(decision, isAdvice ? 'advice' : decision.kind)}`;
  }

  /** Logs an unexplained miss once, until an outcome is good again. Windows of outcomes overlap. */
  #observed(id: number, observed: ObservedOutcome): string | undefined {
    if (id < this.#newestObservedId) return undefined;
    this.#newestObservedId = id;
    const miss = unexplainedMiss(this.#served, observed);
    const isKnown = this.#misses;
    this.#misses = miss !== undefined;
    return miss === undefined || isKnown ? undefined : pc.yellow(miss);
  }

  #ended({ id, outcome }: Extract<LoopEvent, { readonly kind: 'amended' }>): string | undefined {
    const decision = this.#applying.get(id);
    // A change that ended early leaves a mixture of two plans.
    if (outcome !== undefined && outcome.kind !== 'applied') this.#served = undefined;
    if (outcome === undefined || decision === undefined) return undefined;
    this.#applying.delete(id);
    const number = pc.dim(`[${id}]`);
    if (outcome.kind === 'applied') return `${number} ${decisionText(decision, 'apply')}`;
    const what = outcome.kind === 'failed' ? 'not applied' : 'given up';
    return `${number} ${what}: ${outcome.message}; ${decision.reason}`;
  }
}

function quarantineText({ stageId, tenant, digest }: QuarantineEvent): string {
  const whose = tenant === undefined ? '' : ` of tenant ${tenant}`;
  return `stage ${stageId} hung on an input${whose}: input ${digest} is refused for 10 minutes`;
}

function canaryText({ stageId, variantId, state, fraction, why = '' }: CanaryEvent): string {
  const of = `canary: variant ${variantId} of stage ${stageId}`;
  switch (state) {
    case 'step':
      return `${of} gets ${Math.round(100 * fraction)} % of the requests`;
    case 'passed':
      return pc.green(`${of} has passed and gets all requests`);
    case 'rolled-back':
      return pc.yellow(`${of} is rolled back: ${why}`);
    case 'ended':
      return `${of} has ended without a verdict`;
  }
}

type QuarantineEvent = Extract<LoopEvent, { readonly kind: 'input-quarantined' }>;
type DecidedRecord = Extract<LoopEvent, { readonly kind: 'decided' }>['record'];

/** For a plan its stages, because its reason names the load and so always differs. */
function subjectOf(decision: Decision): string {
  return decision.kind === 'hold' ? decision.reason : JSON.stringify(decision.plan.stages);
}

function manualText({ id, manual }: DecisionRecord, mode: ControlMode): string {
  const reason = manual?.reason === undefined ? '' : `: ${manual.reason}`;
  const pins = manual?.pins === undefined ? '' : `, ${pinsText(manual.pins)}`;
  return `${pc.dim(`[${id}]`)} ${manual?.action} by hand${pins}${reason} (mode ${mode})`;
}

function decisionText({ reason, evidence: { forecast, robustness } }: Decision, kind: string): string {
  const factor = robustness === undefined ? '' : `, service times × ${robustness.serviceFactor}`;
  return `${kind}: ${reason} (${rateText(forecast.meanRps)} rps expected, planned for ${rateText(forecast.upperRps)}${factor})`;
}
