/** What became of a decision's changes, as the next observation tells it. Plain data. */
import type { Change } from './change.js';
import type { StageId } from './ids.js';

/**
 * All were carried out, one failed, or the rest was given up (at a stop, because a person took the loop off, or for the answer to a burst). `changed` are the stages of
 * those that were carried out, `unchanged` those of the others: a stage with several may be among both.
 */
export interface LastChange {
  readonly kind: 'applied' | 'failed' | 'given-up';
  readonly changed: readonly StageId[];
  readonly unchanged: readonly StageId[];
}

/** How `changes` ended of which the first `done` were carried out. */
export function lastChangeOf(kind: LastChange['kind'], changes: readonly Change[], done: number): LastChange {
  const stagesOf = (some: readonly Change[]) => [...new Set(some.map(({ stageId }) => stageId))];
  return { kind, changed: stagesOf(changes.slice(0, done)), unchanged: stagesOf(changes.slice(done)) };
}
