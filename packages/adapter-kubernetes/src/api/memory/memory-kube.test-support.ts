/**
 * An API server in memory. It has one revision counter over all objects, an event log for watches, and finalizers.
 * Compaction expires old watches and lists; only status writes change a status. It has no schemas, defaults or
 * controllers; `define` adds a resource with a check of its objects.
 */
import { type AlarmClock, AppError } from '@equipoise/core/model';
import type { RefusalCause, Refused, Selection, WatchEvent } from '../kube-api.js';
import { apiVersionOf, collectionPath, type KubeObject, objectKey, type ResourceType } from '../kube-object.js';
import {
  datedOwners,
  type Fields,
  managedFieldsOf,
  type Owners,
  ownersText,
  same,
} from './field-owners.test-support.js';
import { isSelected } from './selectors.test-support.js';
import { WatchFeed } from './watch-feed.test-support.js';

/** A resource of the server; `check` returns the faults of an object before a write. */
export interface MemoryResource {
  readonly type: ResourceType;
  readonly hasStatus?: boolean;
  readonly check?: (object: Fields) => readonly RefusalCause[];
}

/** Stored object with its owners. */
export interface Kept {
  readonly object: KubeObject;
  readonly owners: Owners;
}

interface LoggedEvent {
  readonly revision: number;
  readonly collection: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
}

interface OpenWatch {
  readonly selection: Selection;
  readonly feed: WatchFeed;
  /** Version of its start. The watch gets only later events. */
  readonly from: number;
}

const BOOKMARK_EVERY_MS = 60_000;
/** Time between the last bookmark and the end of a watch. */
const LAST_BOOKMARK_MS = 2_000;

/** Time of a server when its clock is at 0. */
export const STARTED_EPOCH_MS = Date.UTC(2026, 5, 1, 12);

/** The server; `MemoryKubeApi` is a client of it. */
export class MemoryKube {
  readonly clock: AlarmClock;
  startedEpochMs = STARTED_EPOCH_MS;
  /** A fault: each new watch ends without an event. */
  endsWatchesAtOnce = false;
  /** Called after each change of an object. */
  onChange: () => void = () => {};
  readonly #resources = new Map<string, MemoryResource>();
  readonly #objects = new Map<string, Map<string, Kept>>();
  readonly #watches = new Set<OpenWatch>();
  #log: LoggedEvent[] = [];
  #revision = 100;
  #compactedRevision = 100;
  #made = 0;

  constructor(clock: AlarmClock, resources: readonly MemoryResource[]) {
    this.clock = clock;
    for (const resource of resources) this.define(resource);
  }

  define(resource: MemoryResource): void {
    this.#resources.set(collectionOf(resource.type), resource);
    this.#objects.set(collectionOf(resource.type), new Map());
  }

  get revision(): number {
    return this.#revision;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** Forgets all events: earlier watches and lists expire. */
  compact(): void {
    this.#log = [];
    this.#compactedRevision = this.#revision;
  }

  /** Goes back to a smaller revision, like a server that is restored from a snapshot. The objects stay. */
  restoreTo(revision: number): void {
    this.dropWatches();
    this.#log = [];
    this.#revision = revision;
    this.#compactedRevision = revision;
  }

  /** Ends all watches, like a server that shuts down. */
  dropWatches(): void {
    for (const { feed } of this.#watches) feed.end(noAnswer());
  }

  /** Silences the open watches without ending them; returns their number. */
  muteWatches(): number {
    const muted = this.#watches.size;
    for (const { feed } of this.#watches) feed.mute();
    return muted;
  }

  resource(type: ResourceType): MemoryResource {
    const resource = this.#resources.get(collectionOf(type));
    if (resource !== undefined) return resource;
    throw new AppError(
      'CLUSTER_REFUSED',
      'the API server answered 404: the server could not find the requested resource',
      {
        details: { httpStatus: 404 },
      },
    );
  }

  find(type: ResourceType, key: string): Kept | undefined {
    return this.#objectsOf(type).get(key);
  }

  selected(selection: Selection): readonly KubeObject[] {
    const kept = [...this.#objectsOf(selection.type)].sort(([a], [b]) => (a < b ? -1 : 1));
    return kept.map(([, { object }]) => object).filter((object) => isSelected(selection, object));
  }

  isForgotten(revision: number): boolean {
    return revision < this.#compactedRevision;
  }

  /** Stores a written object if it changed; removes a deleted object without finalizers. */
  keep(type: ResourceType, before: Kept | undefined, fields: Fields, newOwners: Owners): KubeObject | Refused {
    const causes = this.resource(type).check?.(fields) ?? [];
    if (causes.length > 0) return refused('invalid', causes.map(({ message }) => message).join(', '), causes);
    if (before !== undefined && unchanged(before, fields, newOwners)) return before.object;
    const owners = datedOwners(newOwners, this.timestamp());
    const revision = ++this.#revision;
    const object = this.#stamped(type, before, fields, owners, revision);
    const goes = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    const key = objectKey(object.metadata);
    if (goes) this.#objectsOf(type).delete(key);
    else this.#objectsOf(type).set(key, { object, owners });
    this.#tell({
      revision,
      collection: collectionOf(type),
      before: before?.object,
      after: goes ? undefined : object,
      ...(goes && { before: object }),
    });
    return object;
  }

  /** Removes an object, or marks it while it has finalizers. */
  remove(type: ResourceType, kept: Kept): void {
    const { object, owners } = kept;
    if (object.metadata.deletionTimestamp !== undefined) return;
    const metadata = { ...object.metadata, deletionTimestamp: this.timestamp() };
    this.keep(type, kept, { ...object, metadata }, owners);
  }

  /** Opens a watch on events after `revision`. */
  watch(selection: Selection, revision: number, timeoutMs: number, signal: AbortSignal): WatchFeed {
    const feed = new WatchFeed();
    if (this.isForgotten(revision)) {
      feed.push({ kind: 'expired' });
      feed.end();
      return feed;
    }
    if (this.endsWatchesAtOnce) {
      feed.end();
      return feed;
    }
    const collection = collectionOf(selection.type);
    for (const event of this.#log) {
      if (event.revision > revision && event.collection === collection) push(feed, selection, event);
    }
    const watch = { selection, feed, from: revision };
    this.#watches.add(watch);
    const cancel = this.#schedule(watch, timeoutMs);
    const close = () => {
      cancel();
      this.#watches.delete(watch);
    };
    feed.onEnd = close;
    signal.addEventListener('abort', () => feed.end(), { once: true });
    if (signal.aborted) feed.end();
    return feed;
  }

  timestamp(): string {
    return new Date(this.startedEpochMs + this.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  #schedule({ feed, from }: OpenWatch, timeoutMs: number): () => void {
    const endAtMs = this.clock.nowMs() + timeoutMs;
    const cancelEnd = this.clock.ringAt(endAtMs, () => feed.end());
    let cancelBookmark = (): void => {};
    const bookmarkNext = (): void => {
      const nowMs = this.clock.nowMs();
      const atMs = Math.min(nowMs + BOOKMARK_EVERY_MS, endAtMs - LAST_BOOKMARK_MS);
      if (atMs <= nowMs) return;
      cancelBookmark = this.clock.ringAt(atMs, () => {
        if (this.#revision >= from) feed.push({ kind: 'bookmark', resourceVersion: String(this.#revision) });
        bookmarkNext();
      });
    };
    bookmarkNext();
    return () => {
      cancelEnd();
      cancelBookmark();
    };
  }

  #stamped(type: ResourceType, before: Kept | undefined, fields: Fields, owners: Owners, revision: number): KubeObject {
    const metadata = (fields['metadata'] ?? {}) as Fields;
    const old = before?.object.metadata;
    const counts = this.resource(type).hasStatus === true;
    const generation = (old?.generation ?? 0) + (specChanged(before?.object, fields) ? 1 : 0);
    return inKeyOrder({
      ...fields,
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: {
        ...metadata,
        uid: old?.uid ?? `uid-${++this.#made}`,
        creationTimestamp: old?.creationTimestamp ?? this.timestamp(),
        ...(counts && { generation }),
        resourceVersion: String(revision),
        managedFields: managedFieldsOf(owners),
      },
    }) as KubeObject;
  }

  #tell(event: LoggedEvent): void {
    this.#log.push(event);
    for (const { selection, feed, from } of this.#watches) {
      if (collectionOf(selection.type) === event.collection && event.revision > from) push(feed, selection, event);
    }
    this.onChange();
  }

  #objectsOf(type: ResourceType): Map<string, Kept> {
    this.resource(type);
    return this.#objects.get(collectionOf(type)) as Map<string, Kept>;
  }
}

export function refused(reason: Refused['reason'], message: string, causes: readonly RefusalCause[] = []): Refused {
  return { kind: 'refused', reason, message, causes };
}

/** Error of a call without an answer. */
export function noAnswer(): AppError {
  return new AppError('UNREACHABLE', 'no answer from the API server in memory', { retryable: true });
}

function collectionOf(type: ResourceType): string {
  return collectionPath(type, undefined);
}

function push(feed: WatchFeed, selection: Selection, { before, after }: LoggedEvent): void {
  const was = before !== undefined && isSelected(selection, before);
  const is = after !== undefined && isSelected(selection, after);
  const event = eventOf(was ? before : undefined, is ? after : undefined, after);
  if (event !== undefined) feed.push(event);
}

/** Event for a watcher that saw `was` and now sees `is`; `latest` is the object if it left the selection. */
function eventOf(
  was: KubeObject | undefined,
  is: KubeObject | undefined,
  latest: KubeObject | undefined,
): WatchEvent | undefined {
  if (is !== undefined) return { kind: was === undefined ? 'added' : 'modified', object: is };
  return was === undefined ? undefined : { kind: 'deleted', object: latest ?? was };
}

function unchanged(before: Kept, fields: Fields, owners: Owners): boolean {
  return (
    same(bare(before.object as unknown as Fields), bare(fields)) && ownersText(before.owners) === ownersText(owners)
  );
}

/** Without fields that the server writes. */
function bare(fields: Fields): Fields {
  const { managedFields, resourceVersion, generation, uid, creationTimestamp, ...metadata } = (fields['metadata'] ??
    {}) as Fields;
  const { apiVersion, kind, ...rest } = fields;
  return { ...rest, metadata };
}

/** Copy with sorted keys, as a server returns it. Frozen, so that readers can share it. */
function inKeyOrder(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(inKeyOrder));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  const members = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, inKeyOrder(member)]);
  return Object.freeze(Object.fromEntries(members));
}

function specChanged(before: KubeObject | undefined, fields: Fields): boolean {
  if (before === undefined) return true;
  const specOf = ({ metadata, status, apiVersion, kind, ...spec }: Fields) => spec;
  return !same(specOf(before as unknown as Fields), specOf(fields));
}
