import { AppError } from '@equipoise/core/model';
import type { KubeObject, ObjectRef, ResourceType } from './kube-object.js';

/**
 * The part of the Kubernetes API that Equipoise uses, as a port. What a caller has to expect is a value: an object that is not there, a
 * write that was refused because of what the object is now, a resource version that the server no longer knows. Everything else
 * rejects with AppError: UNREACHABLE when no answer came, CLUSTER_REFUSED for the answers that no retry of the same kind changes.
 */

/** Which objects of a resource; without a namespace those of all namespaces. */
export interface Selection<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  readonly namespace?: string;
  /** Equality only, as `name=value,other!=value`. */
  readonly labelSelector?: string;
  /** As `metadata.name=value`, or what the resource offers beside. */
  readonly fieldSelector?: string;
}

/** A part of a list. All pages of one list are of one resource version, from which a watch goes on. */
export type ListPage<T extends KubeObject = KubeObject> =
  | {
      readonly kind: 'page';
      readonly objects: readonly T[];
      readonly resourceVersion: string;
      /** Asks for the next page; missing on the last one. */
      readonly continueToken?: string;
    }
  /** The list began too long ago to be continued. */
  | { readonly kind: 'expired' };

/** What a watch tells. After `expired` the watch is over and its reader has to list again. */
export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: T }
  /** Nothing happened up to this version. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'expired' };

/** One reason for a refusal. */
export interface RefusalCause {
  readonly field?: string;
  readonly message: string;
  /** `FieldManagerConflict` where another manager owns the field. */
  readonly reason?: string;
}

/** A write that was not done because of the state of the object; `conflict` also where another manager owns a field. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: 'already-exists' | 'conflict' | 'not-found' | 'invalid';
  readonly message: string;
  readonly causes: readonly RefusalCause[];
}

/** What became of a write; `object` is as the server keeps it now. */
export type WriteResult<T extends KubeObject = KubeObject> = { readonly kind: 'written'; readonly object: T } | Refused;

/** In whose name a write is done. */
export interface Writer {
  readonly fieldManager: string;
}

/** A server-side apply; `force` takes the fields that other managers own. */
export interface Applier extends Writer {
  readonly force?: boolean;
}

/** How a deletion is bounded: only this very object, only in this version. */
export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Whether children go after the object (the default), or before it. */
  readonly propagation?: 'background' | 'foreground';
  /** How long a pod may take to stop; the pod's own grace where it is missing. */
  readonly graceSeconds?: number;
}

/** The calls. `apply` takes only the fields that the manager wants; those that it wanted before and leaves out now are removed. */
export interface KubeApi {
  get<T extends KubeObject>(ref: ObjectRef<T>): Promise<T | undefined>;
  list<T extends KubeObject>(
    selection: Selection<T>,
    page?: { readonly limit?: number; readonly continueToken?: string },
  ): Promise<ListPage<T>>;
  /** Events after `resourceVersion`, until the server ends the watch after `timeoutSeconds` or `signal` aborts it: then the iteration ends. */
  watch<T extends KubeObject>(
    selection: Selection<T>,
    from: { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>>;
  /** Puts the whole object in the place of the version that it names. */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>>;
  apply<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>>;
  /** The same for the status, which other writes leave as it is. */
  applyStatus<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>>;
  /** Sets the wanted number of replicas through the `scale` subresource. */
  scale(ref: ObjectRef, replicas: number, writer: Writer): Promise<WriteResult>;
  /** `deleted` also where finalizers keep the object for now. */
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<{ readonly kind: 'deleted' } | Refused>;
}

/** A write that the server refused, as an error that is tried again. */

/** AppError CLUSTER_REFUSED about `what`. */
export function refusalError(what: string, { reason, message }: Refused): AppError {
  return new AppError('CLUSTER_REFUSED', `${what}: ${reason}: ${message}`, { retryable: true });
}
