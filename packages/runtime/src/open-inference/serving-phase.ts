/** How far a server is: it listens before its replicas have started, and until those that it has taken in have their answers. */
import { dropError } from './refusal.js';

/** Only while `serving` are requests taken in; in the other phases probes are answered, and the server is not ready. */
export type ServingPhase = 'starting' | 'serving' | 'closing';

/** AppError DROPPED unless requests are taken in. */
export function requireServing(phase: ServingPhase): void {
  if (phase === 'starting') throw dropError('no-ready-replica');
  if (phase === 'closing') throw dropError('draining');
}
