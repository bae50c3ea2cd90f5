/** The decisions that the page knows, newest first. */
import type { DecisionPage, DecisionSummary } from '../api/answers.js';

export interface DecisionList {
  readonly decisions: readonly DecisionSummary[];
  /** Older decisions exist below this number. */
  readonly nextBefore: number | undefined;
}

export const NO_DECISIONS: DecisionList = { decisions: [], nextBefore: undefined };

/**
 * `list` with the newest page. If the page does not reach the known decisions, for example after a long sleep, only the
 * page counts: a gap would look like a time without decisions.
 */
export function withNewest(list: DecisionList, { decisions, nextBefore }: DecisionPage): DecisionList {
  const oldest = decisions.at(-1)?.id;
  const newestKnown = list.decisions[0]?.id;
  // A page from a newly made log has smaller numbers.
  const isConnected = oldest !== undefined && newestKnown !== undefined && oldest <= newestKnown + 1;
  const isAhead = (decisions[0]?.id ?? 0) >= (newestKnown ?? 0);
  if (!isConnected || !isAhead) return { decisions, nextBefore };
  const older = list.decisions.filter(({ id }) => id < oldest);
  return { decisions: [...decisions, ...older], nextBefore: older.length > 0 ? list.nextBefore : nextBefore };
}

export function withOlder(list: DecisionList, { decisions, nextBefore }: DecisionPage): DecisionList {
  const oldest = list.decisions.at(-1)?.id ?? Number.POSITIVE_INFINITY;
  return { decisions: [...list.decisions, ...decisions.filter(({ id }) => id < oldest)], nextBefore };
}

/** True if the decision changed something, or a person acted. */
export const isAction = ({ kind, manual }: DecisionSummary): boolean => kind === 'apply' || manual !== undefined;

type Named = { readonly [Field in 'kind' | 'manual' | 'trigger']?: DecisionSummary[Field] | undefined };

/** One word for a decision. */
export function kindOf({ kind, manual, trigger }: Named): string {
  if (manual !== undefined) return manual.action;
  if (kind === undefined) return 'failed';
  if (kind === 'hold') return 'hold';
  return trigger === undefined || trigger === 'plan' ? 'change' : trigger;
}
