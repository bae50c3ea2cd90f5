/** Log lines of the control loop in `serve`. Repeated holds and advices are logged once. */
import type { ControlMode, Decision, DecisionRecord } from '@equipoise/core/model';
import { type LoopEvent, messageOf, pinsText } from '@equipoise/runtime';
import pc from 'picocolors';
import { choiceText, rateText } from './plan-table.js';

export class LoopLines {
  #told: string | undefined;

  /** Line of an event; undefined if there is nothing new. */
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
    // The first plan and changes by hand are applied in mode advise, too.
    const isOfLoop = trigger !== 'start' && trigger !== 'manual';
    const isAdvice = decision.kind === 'apply' && mode === 'advise' && isOfLoop;
    const unacted = decision.kind === 'hold' || isAdvice ? `${decision.kind} ${subjectOf(decision)}` : undefined;
    const isKnown = unacted !== undefined && unacted === this.#told;
    this.#told = unacted;
    return isKnown ? undefined : `${pc.dim(`[${id}]`)} ${decisionText(decision, isAdvice ? 'advice' : decision.kind)}`;
  }
}

type DecidedRecord = Extract<LoopEvent, { readonly kind: 'decided' }>['record'];

/** Identity of a decision: a plan's choices, because its reason names a load that always varies. */
function subjectOf(decision: Decision): string {
  return decision.kind === 'hold' ? decision.reason : JSON.stringify(decision.plan.stages);
}

function manualText({ id, manual }: DecisionRecord, mode: ControlMode): string {
  const reason = manual?.reason === undefined ? '' : `: ${manual.reason}`;
  const pins = manual?.pins === undefined ? '' : `, ${pinsText(manual.pins)}`;
  return `${pc.dim(`[${id}]`)} ${manual?.action} by hand${pins}${reason} (mode ${mode})`;
}

/** Reason of an outcome that is neither applied nor failed. */
function givenUpText({ id, outcome }: Extract<LoopEvent, { readonly kind: 'amended' }>): string | undefined {
  return outcome?.kind === 'given-up' ? `${pc.dim(`[${id}]`)} given up: ${outcome.message}` : undefined;
}

function decisionText({ reason, evidence: { forecast } }: Decision, kind: string): string {
  return `${kind}: ${reason} (${rateText(forecast.meanRps)} rps expected, planned for ${rateText(forecast.upperRps)})`;
}
