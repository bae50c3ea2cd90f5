/** The decisions that the page knows, newest first. */
import type { DecisionPage, DecisionSummary } from '../api/answers.js';

export interface DecisionList {
  readonly decisions: readonly DecisionSummary[];
  /** Older decisions exist below this number. */
  readonly nextBefore: number | undefined;
}

export const NO_DECISIONS: DecisionList = { decisions: [], nextBefore: undefined };

/** Bounds the rows of the page. Older decisions open by their number. */
export const MOST_LISTED = 2000;

/** True if older decisions exist, but not in the list. */
export const isFull = ({ decisions, nextBefore }: DecisionList): boolean =>
  decisions.length >= MOST_LISTED && nextBefore !== undefined;

function bounded({ decisions, nextBefore }: DecisionList): DecisionList {
  if (decisions.length <= MOST_LISTED) return { decisions, nextBefore };
  const listed = decisions.slice(0, MOST_LISTED);
  return { decisions: listed, nextBefore: listed.at(-1)?.id };
}

/**
 * `list` with the newest page. If the page does not reach the known decisions, for example after a long sleep, only the
 * page counts: a gap would look like a time without decisions. Decisions without news stay the same objects, and a list
 * without news stays the same list, so that nothing is rendered for them.
 */
export function withNewest(list: DecisionList, { decisions, nextBefore }: DecisionPage): DecisionList {
  const oldest = decisions.at(-1)?.id;
  const newestKnown = list.decisions[0]?.id;
  // A page from a newly made log has smaller numbers.
  const isConnected = oldest !== undefined && newestKnown !== undefined && oldest <= newestKnown + 1;
  const isAhead = (decisions[0]?.id ?? 0) >= (newestKnown ?? 0);
  if (!isConnected || !isAhead) return { decisions, nextBefore };
  const known = new Map(list.decisions.filter(({ id }) => id >= oldest).map((each) => [each.id, each]));
  const newest = decisions.map((each) => {
    const before = known.get(each.id);
    return before !== undefined && JSON.stringify(before) === JSON.stringify(each) ? before : each;
  });
  if (newest.length === known.size && newest.every((each) => known.get(each.id) === each)) return list;
  const older = list.decisions.filter(({ id }) => id < oldest);
  return bounded({
    decisions: [...newest, ...older],
    nextBefore: older.length > 0 ? list.nextBefore : nextBefore,
  });
}

export function withOlder(list: DecisionList, { decisions, nextBefore }: DecisionPage): DecisionList {
  const oldest = list.decisions.at(-1)?.id ?? Number.POSITIVE_INFINITY;
  return bounded({ decisions: [...list.decisions, ...decisions.filter(({ id }) => id < oldest)], nextBefore });
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
