import type { PipelineFacts } from '../api/answers.js';

export interface RefusedActions {
  readonly because: string;
  /** The place to act instead. */
  readonly instead: string;
}

/** Reason why the server refuses every action by hand; undefined if it accepts some. */
export function refusedActions({
  follows,
  elsewhere,
}: Pick<PipelineFacts, 'follows' | 'elsewhere'>): RefusedActions | undefined {
  if (elsewhere?.actions !== undefined)
    return { because: 'a cluster is changed by its objects', instead: elsewhere.actions };
  if (follows !== true) return undefined;
  return {
    because: 'following another router',
    instead: 'Another router of this machine leads, and this one has its plan. Act on the page of the lead.',
  };
}
