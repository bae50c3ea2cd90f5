/**
 * What the control loop does, as the lines that `serve` logs. A decision to change nothing and an advice, which changes nothing either, are
 * told once, until something else is decided.
 */
import type { ControlMode, Decision, DecisionRecord } from '@equipoise/core/model';
import { type LoopEvent, messageOf, pinsText } from '@equipoise/runtime';
import pc from 'picocolors';
import { choiceText, rateText } from './plan-table.js';

/** Lines for the events of one loop. */
export class LoopLines {
  #told: string | undefined;

  /** The line of an event; undefined where there is nothing new to tell. */
  of(event: LoopEvent): string | undefined {
    switch (event.kind) {
      case 'failed':
        return `${pc.red(`${event.step} failed`)}: ${messageOf(event.error)}`;
      case 'recovered':
        return pc.green(`${event.step} works again`);
      case 'in-force':
        return `plan in force after ${event.tookMs.toFixed(0)} ms: ${choiceText(event.plan)}`;
      case 'manual':
        this.#told = undefined;
        return manualText(event.record, event.mode);
      case 'decided':
        return this.#decided(event.record);
      case 'amended':
        return givenUpText(event);
    }
  }

  #decided({ id, decision, mode, trigger }: DecidedRecord): string | undefined {
    // The first plan, and what a person puts in force, are carried out in mode advise, too.
    const isOfLoop = trigger !== 'start' && trigger !== 'manual';
    const isAdvice = decision.kind === 'apply' && mode === 'advise' && isOfLoop;
    const unacted = decision.kind === 'hold' || isAdvice ? `${decision.kind} ${subjectOf(decision)}` : undefined;
    const isKnown = unacted !== undefined && unacted === this.#told;
    this.#told = unacted;
    return isKnown ? undefined : `${pc.dim(`[${id}]`)} ${decisionText(decision, isAdvice ? 'advice' : decision.kind)}`;
  }
}

type DecidedRecord = Extract<LoopEvent, { readonly kind: 'decided' }>['record'];

/** What makes a decision another one than the last: of a plan its choices, since its reason names a load that is never quite the same. */
function subjectOf(decision: Decision): string {
  return decision.kind === 'hold' ? decision.reason : JSON.stringify(decision.plan.stages);
}

function manualText({ id, manual }: DecisionRecord, mode: ControlMode): string {
  const reason = manual?.reason === undefined ? '' : `: ${manual.reason}`;
  const pins = manual?.pins === undefined ? '' : `, ${pinsText(manual.pins)}`;
  return `${pc.dim(`[${id}]`)} ${manual?.action} by hand${pins}${reason} (mode ${mode})`;
}

/** Of what becomes of decisions, what is neither in force nor at fault. */
function givenUpText({ id, outcome }: Extract<LoopEvent, { readonly kind: 'amended' }>): string | undefined {
  return outcome?.kind === 'given-up' ? `${pc.dim(`[${id}]`)} given up: ${outcome.message}` : undefined;
}

function decisionText({ reason, evidence: { forecast } }: Decision, kind: string): string {
  return `${kind}: ${reason} (${rateText(forecast.meanRps)} rps expected, planned for ${rateText(forecast.upperRps)})`;
}
