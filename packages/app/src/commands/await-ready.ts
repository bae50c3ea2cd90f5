/** Waits for a server that starts, so that a load measures the pipeline and not its start. */
import { setTimeout } from 'node:timers/promises';

const MOST_WAIT_MS = 60_000;
const ASK_EVERY_MS = 250;
const ANSWER_MS = 5_000;

/**
 * Resolves once `/readyz` of the server no longer answers 503, or after a minute, or if `signal` aborts. Servers that
 * cannot be asked are not awaited: the load reports them.
 */
export async function awaitReady(url: string, signal: AbortSignal, onWait: () => void): Promise<void> {
  const endsAtMs = performance.now() + MOST_WAIT_MS;
  let isWaiting = false;
  while (!signal.aborted && performance.now() < endsAtMs && (await isStarting(url))) {
    if (!isWaiting) onWait();
    isWaiting = true;
    await setTimeout(ASK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}

async function isStarting(url: string): Promise<boolean> {
  try {
    const answer = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(ANSWER_MS) });
    await answer.body?.cancel();
    return answer.status === 503;
  } catch {
    return false;
  }
}
