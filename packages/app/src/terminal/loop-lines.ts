/** What the control loop does, as the lines that `serve` logs. A decision to change nothing is told once, until something else is decided. */
import type { ControlMode, Decision, DecisionRecord } from '@equipoise/core';
import { type LoopEvent, messageOf } from '@equipoise/runtime';
import pc from 'picocolors';
import { choiceText } from './plan-table.js';

/** Lines for the events of one loop. */
export class LoopLines {
  #held: string | undefined;

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
        this.#held = undefined;
        return manualText(event.record, event.mode);
      case 'decided':
        return this.#decided(event.record.id, event.record.decision);
      case 'amended':
        return undefined;
    }
  }

  #decided(id: number, decision: Decision): string | undefined {
    const held = decision.kind === 'hold' ? decision.reason : undefined;
    const isKnown = held !== undefined && held === this.#held;
    this.#held = held;
    return isKnown ? undefined : `${pc.dim(`[${id}]`)} ${decisionText(decision)}`;
  }
}

function manualText({ id, manual }: DecisionRecord, mode: ControlMode): string {
  const reason = manual?.reason === undefined ? '' : `: ${manual.reason}`;
  return `${pc.dim(`[${id}]`)} ${manual?.action} by hand${reason} (mode ${mode})`;
}

function decisionText({ kind, reason, evidence }: Decision): string {
  return `${kind}: ${reason} (${evidence.forecast.meanRps.toFixed(1)} rps expected, planned for ${evidence.forecast.upperRps.toFixed(1)})`;
}
