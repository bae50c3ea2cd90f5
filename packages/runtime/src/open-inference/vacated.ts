/** Waiting for clients to close the connections that they keep. */
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 10;

/** Resolves once no client is silent on an open connection, or after `withinMs`. */
export async function vacated(silent: () => number, withinMs: number): Promise<void> {
  const endsAtMs = performance.now() + withinMs;
  while (silent() > 0 && performance.now() < endsAtMs) await delay(LOOK_MS);
}
