/** Rules of the serving ports, the same over REST and gRPC. */
import type { CallRules, Purpose } from '../net/call.js';
import type { ServingPhase } from '../net/drain.js';
import { dropError } from '../net/refusal.js';
import type { AnswerFeed } from './answer-feed.js';
import type { LargeRequests } from './decoding/large-requests.js';
import type { LargeAnswers } from './large-answers.js';
import type { ServedPipeline } from './served-pipeline.js';
import type { StartupHold } from './startup-hold.js';
import type { Tenant, Tenants } from './tenants/tenants.js';

/** Maximum bytes of messages other than inference: they hold only a few names. */
export const MOST_QUESTION_BYTES = 64 * 1024;

export interface ServingRules extends CallRules {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  /** Clients that listen to answers. */
  readonly answers: AnswerFeed;
  readonly version: string;
  readonly maxJsonBytes: number;
  readonly largeRequests: LargeRequests;
  readonly largeAnswers: LargeAnswers;
  /** Holds requests until the server serves. */
  readonly hold: StartupHold;
  /** Undefined: every client has access. */
  readonly tenants: Tenants | undefined;
}

/**
 * Returns the tenant; undefined for probes, or if the server has no tenants. Throws AppError UNAUTHENTICATED without a
 * valid token.
 */
export function authenticate({ tenants }: ServingRules, purpose: Purpose, authorization: unknown): Tenant | undefined {
  return purpose === 'probe' ? undefined : tenants?.identify(authorization);
}

/** Throws AppError DROPPED if the server closes, or starts and can hold no more requests. */
export function requireOpen(
  { phase, hold }: { readonly phase: ServingPhase; readonly hold: StartupHold },
  pipeline: Pick<ServedPipeline, 'refused'> | undefined,
): void {
  if (phase === 'closing') throw dropError('draining');
  hold.requirePlace({ refused: (reason) => pipeline?.refused(reason) });
}
