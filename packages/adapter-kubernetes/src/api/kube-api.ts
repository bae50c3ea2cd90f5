import { AppError } from '@equipoise/core/model';
import type { KubeObject, ManagedFields, ObjectRef, ResourceType } from './kube-object.js';

/**
 * Port to the Kubernetes API. Expected outcomes are values: missing object, refused write, expired version. Other
 * failures reject with AppError UNREACHABLE or CLUSTER_REFUSED.
 */

export interface Selection<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  readonly namespace?: string | undefined;
  /** Equality selectors only, such as `name=value,other!=value`. */
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string;
}

/** Page of a list. All pages have the same resource version, from which a watch continues. */
export type ListPage<T extends KubeObject = KubeObject> =
  | {
      readonly kind: 'page';
      readonly objects: readonly T[];
      readonly resourceVersion: string;
      readonly continueToken?: string | undefined;
    }
  /** The list began too long ago to continue. */
  | { readonly kind: 'expired' };

/** `expired` requires a new list. */
export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: T }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'expired' };

export interface RefusalCause {
  readonly field?: string | undefined;
  readonly message: string;
  readonly reason?: string | undefined;
}

/**
 * Write refused because of the object's content or state. `conflict` includes fields owned by another manager, and an
 * object of the name with another uid.
 */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: 'already-exists' | 'conflict' | 'not-found' | 'invalid';
  readonly message: string;
  readonly causes: readonly RefusalCause[];
}

export type WriteResult<T extends KubeObject = KubeObject> = { readonly kind: 'written'; readonly object: T } | Refused;

export interface Writer {
  readonly fieldManager: string;
}

/**
 * `force` takes over fields that other managers own. `dryRun` only checks the write. `isStrict` refuses fields that the
 * schema lacks.
 */
export interface Applier extends Writer {
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly isStrict?: boolean;
}

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** `background` removes children after the object (default), `foreground` before. */
  readonly propagation?: 'background' | 'foreground';
  readonly graceSeconds?: number;
}

/**
 * `apply` owns exactly the given fields. It removes fields of the manager's previous apply that this apply lacks and no
 * other manager owns.
 */
export interface KubeApi {
  get<T extends KubeObject>(ref: ObjectRef<T>): Promise<T | undefined>;
  list<T extends KubeObject>(
    selection: Selection<T>,
    page?: { readonly limit?: number; readonly continueToken?: string },
  ): Promise<ListPage<T>>;
  /** Ends when the server ends it or `signal` aborts. */
  watch<T extends KubeObject>(
    selection: Selection<T>,
    from: { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>>;
  /** Replaces the object if its version is still current. */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>>;
  apply<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>>;
  applyStatus<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>>;
  /** Replaces the record of field managers if the object's version is still current. */
  setManagedFields<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    managedFields: readonly ManagedFields[],
  ): Promise<WriteResult<T>>;
  /** Replaces the finalizers if the object's version is still current, also those of other managers. */
  setFinalizers<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    finalizers: readonly string[],
    writer: Writer,
  ): Promise<WriteResult<T>>;
  scale(ref: ObjectRef, replicas: number, writer: Writer): Promise<WriteResult>;
  /** `deleted` even if finalizers still keep the object. */
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<{ readonly kind: 'deleted' } | Refused>;
}

export function refusalError(what: string, { reason, message }: Refused): AppError {
  return new AppError('CLUSTER_REFUSED', `${what}: ${reason}: ${message}`, { retryable: true });
}
