/** Kinds of decisions by their effect on the plan in force: change, attempt or advice. */
import type { Decision, DecisionRecord } from '@equipoise/core/model';

/** A decision with the plan that it chose. */
export type Attempt = DecisionRecord & { readonly decision: Extract<Decision, { kind: 'apply' }> };

/** True for a plan that was not to be put into force: the loop only advised, or was off. */
export const isAdvice = ({ decision, outcome, mode }: DecisionRecord): boolean =>
  decision?.kind === 'apply' && outcome === undefined && (mode === 'advise' || mode === 'off');

/** True if the chosen plan came into force. Logs without modes are of replays, which have no outcomes. */
export const isInForce = ({ decision, outcome, mode }: DecisionRecord): boolean =>
  decision?.kind === 'apply' && (outcome === undefined ? mode === undefined : outcome.kind === 'applied');

/** True for a choice that was to be put into force. A summary of the admin port has no plan, so it is none. */
export const isAttempt = (record: DecisionRecord): record is Attempt =>
  record.decision?.kind === 'apply' && !isAdvice(record) && (record as Attempt).decision.plan !== undefined;
