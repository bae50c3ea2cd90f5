/** One question to a router: the page that it shows to Prometheus, on the port that it serves. */
import type { ObservedPod } from '../operator/observed-objects.js';

/** The serving port of a router. */
const PORT = 8080;
/** Of a page of a pipeline with 32 stages, several times over. */
const LARGEST_PAGE_BYTES = 4 * 1024 ** 2;

/** Where a router is asked; undefined before its pod has an address. */
export function routerUrl({ status }: ObservedPod): string | undefined {
  const ip = status?.podIP;
  return ip === undefined ? undefined : `http://${ip.includes(':') ? `[${ip}]` : ip}:${PORT}/metrics`;
}

/** The text of the page; rejects where there is no answer, or another than a page. */
export async function askRouter(url: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(url, { signal, redirect: 'error' });
  if (!answer.ok) {
    await answer.body?.cancel();
    throw new Error(`${url} answers ${answer.status}`);
  }
  const text = await answer.text();
  if (text.length > LARGEST_PAGE_BYTES) throw new Error(`${url} answers ${text.length} characters`);
  return text;
}
