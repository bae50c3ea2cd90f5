/** How long a server that is stopped waits for what is inside. */
import type { Slo } from '@equipoise/core/model';
import { sharePatienceMs } from '@equipoise/runtime';

const LEAST_DRAIN_MS = 30_000;

/**
 * Longest wait (ms) for requests to end: the time that one has where it brings no other, and where requests are passed on (`shares`), before
 * that the wait for the other server.
 */
export function drainDeadlineMs({ latencyMs }: Pick<Slo, 'latencyMs'>, shares: boolean): number {
  return Math.max(LEAST_DRAIN_MS, latencyMs + (shares ? sharePatienceMs(latencyMs) : 0));
}
