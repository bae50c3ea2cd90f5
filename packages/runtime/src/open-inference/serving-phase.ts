/** How far a server is: it listens before its replicas have started, and until those that it has taken in have their answers. */
import { dropError } from './refusal.js';

/**
 * Requests are taken in while `serving`, and while `leaving`, when each answer closes its connection so that no client is cut off between two
 * requests; in the other phases probes are answered. Ready it is only while `serving`.
 */
export type ServingPhase = 'starting' | 'serving' | 'leaving' | 'closing';

/** AppError DROPPED unless requests are taken in. */
export function requireServing(phase: ServingPhase): void {
  if (phase === 'starting') throw dropError('no-ready-replica');
  if (phase === 'closing') throw dropError('draining');
}
