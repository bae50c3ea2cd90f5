/** What the conformance suite is given, and short ways to what it expects. */
import type { KubeApi, ListPage, WatchEvent, WriteResult } from '../kube-api.js';
import type { KubeObject } from '../kube-object.js';

/** An API to test; `namespace` is empty and of one test alone. */
export interface KubeApiSubject {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Lets `durationMs` pass on the clock of the server. */
  passTime(durationMs: number): Promise<void>;
}

export type MakeSubject = () => Promise<KubeApiSubject>;

/** The object of a write that was done. */
export function written<T extends KubeObject>(result: WriteResult<T>): T {
  if (result.kind === 'written') return result.object;
  throw new Error(`refused as ${result.reason}: ${result.message}`);
}

/** A page that has to be there. */
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
