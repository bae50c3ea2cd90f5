/** Subject of the conformance suite, and helpers for its expectations. */
import type { KubeApi, ListPage, WatchEvent, WriteResult } from '../kube-api.js';
import type { KubeObject } from '../kube-object.js';

/** An API to test; `namespace` is empty and used by one test. */
export interface KubeApiSubject {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Advances the clock of the server. */
  passTime(durationMs: number): Promise<void>;
}

export type MakeSubject = () => Promise<KubeApiSubject>;

export function written<T extends KubeObject>(result: WriteResult<T>): T {
  if (result.kind === 'written') return result.object;
  throw new Error(`refused as ${result.reason}: ${result.message}`);
}

/** Page; throws if the list expired. */
export function pageOf<T extends KubeObject>(page: ListPage<T>): Extract<ListPage<T>, { kind: 'page' }> {
  if (page.kind === 'page') return page;
  throw new Error('the list expired');
}

/** The next `count` events that are no bookmarks. */
export async function nextEvents<T extends KubeObject>(
  events: AsyncIterator<WatchEvent<T>>,
  count: number,
): Promise<WatchEvent<T>[]> {
  const found: WatchEvent<T>[] = [];
  while (found.length < count) {
    const { value, done } = await events.next();
    if (done === true) throw new Error(`the watch ended after ${found.length} of ${count} events`);
    if (value.kind !== 'bookmark') found.push(value);
  }
  return found;
}
