import { AppError } from '@equipoise/core/model';
import type {
  Applier,
  DeleteOptions,
  KubeApi,
  ListPage,
  Refused,
  Selection,
  WatchEvent,
  WriteResult,
  Writer,
} from '../kube-api.js';
import {
  apiVersionOf,
  collectionPath,
  type KubeObject,
  type ManagedFields,
  type ObjectRef,
  objectPath,
  type ResourceType,
  refTo,
} from '../kube-object.js';
import type { KubeConnection } from './kube-connection.js';
import { type KubeAnswer, type KubeRequest, KubeRequests, type RequestLimits } from './kube-requests.js';

const usualLimits: RequestLimits = { answerMs: 30_000 };

export class HttpKubeApi implements KubeApi {
  readonly #requests: KubeRequests;

  constructor(connection: KubeConnection, limits = usualLimits) {
    this.#requests = new KubeRequests(connection, limits);
  }

  async get<T extends KubeObject>(ref: ObjectRef<T>): Promise<T | undefined> {
    const answer = await this.#requests.ask({ method: 'GET', path: objectPath(ref) });
    if (answer.status === 404) return undefined;
    return bodyOf(answer) as T;
  }

  async list<T extends KubeObject>(
    selection: Selection<T>,
    page: { readonly limit?: number; readonly continueToken?: string } = {},
  ): Promise<ListPage<T>> {
    const answer = await this.#requests.ask({
      method: 'GET',
      path: collectionPath(selection.type, selection.namespace),
      query: { ...queryOf(selection), limit: page.limit, continue: page.continueToken },
    });
    if (answer.status === 410) return { kind: 'expired' };
    if (answer.status === 404) throw notServedError(selection.type);
    const { metadata, items } = bodyOf(answer) as {
      metadata: { resourceVersion: string; continue?: string };
      items: T[];
    };
    // Items of a list lack `apiVersion` and `kind`.
    const { kind } = selection.type;
    const objects = items.map((item) => ({ ...item, apiVersion: apiVersionOf(selection.type), kind }));
    const { resourceVersion, continue: continueToken } = metadata;
    return { kind: 'page', objects, resourceVersion, continueToken: continueToken || undefined };
  }

  async *watch<T extends KubeObject>(
    selection: Selection<T>,
    from: { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    const request: KubeRequest = {
      method: 'GET',
      path: collectionPath(selection.type, selection.namespace),
      query: { ...queryOf(selection), ...from, watch: true, allowWatchBookmarks: true },
    };
    const opened = await this.#requests.stream(request, signal).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (opened === undefined) return;
    if (!(Symbol.asyncIterator in opened)) {
      if (opened.status !== 410) throw failureOf(opened);
      yield { kind: 'expired' };
      return;
    }
    for await (const line of opened) {
      const event = watchEventOf<T>(line);
      yield event;
      if (event.kind === 'expired') return;
    }
  }

  create<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>> {
    const path = collectionPath(type, object.metadata.namespace);
    return this.#write({ method: 'POST', path, query: { fieldManager: writer.fieldManager }, body: object });
  }

  replace<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>> {
    return this.#write({
      method: 'PUT',
      path: objectPath(refTo(type, object)),
      query: { fieldManager: writer.fieldManager },
      body: object,
    });
  }

  apply<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>> {
    return this.#write(applyRequest(objectPath(refTo(type, object)), object, applier));
  }

  applyStatus<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>> {
    return this.#write(applyRequest(objectPath(refTo(type, object), 'status'), object, applier));
  }

  setManagedFields<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    managedFields: readonly ManagedFields[],
  ): Promise<WriteResult<T>> {
    return this.#mergeMetadata(type, object, { managedFields }, {});
  }

  setFinalizers<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    finalizers: readonly string[],
    writer: Writer,
  ): Promise<WriteResult<T>> {
    return this.#mergeMetadata(type, object, { finalizers }, { ...writer });
  }

  scale(ref: ObjectRef, replicas: number, writer: Writer): Promise<WriteResult> {
    return this.#write({
      method: 'PATCH',
      path: objectPath(ref, 'scale'),
      query: { ...writer },
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas } },
    });
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): ReturnType<KubeApi['delete']> {
    const { uid, resourceVersion, graceSeconds, propagation = 'background' } = options;
    const answer = await this.#requests.ask({
      method: 'DELETE',
      path: objectPath(ref),
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation === 'background' ? 'Background' : 'Foreground',
        preconditions: { uid, resourceVersion },
        gracePeriodSeconds: graceSeconds,
      },
    });
    return answer.status < 300 ? { kind: 'deleted' } : refusalOf(answer);
  }

  #mergeMetadata<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    metadata: Pick<KubeObject['metadata'], 'managedFields' | 'finalizers'>,
    query: NonNullable<KubeRequest['query']>,
  ): Promise<WriteResult<T>> {
    const { uid, resourceVersion } = object.metadata;
    return this.#write({
      method: 'PATCH',
      path: objectPath(refTo(type, object)),
      query,
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid, resourceVersion, ...metadata } },
    });
  }

  async #write<T extends KubeObject>(request: KubeRequest): Promise<WriteResult<T>> {
    const answer = await this.#requests.ask(request);
    return answer.status < 300 ? { kind: 'written', object: answer.body as T } : refusalOf(answer);
  }
}

function queryOf({ labelSelector, fieldSelector }: Selection): NonNullable<KubeRequest['query']> {
  return { labelSelector, fieldSelector };
}

function applyRequest(
  path: string,
  object: KubeObject,
  { fieldManager, force, dryRun, isStrict }: Applier,
): KubeRequest {
  // JSON is valid YAML.
  const contentType = 'application/apply-patch+yaml';
  const query = {
    fieldManager,
    force,
    dryRun: dryRun ? 'All' : undefined,
    fieldValidation: isStrict ? 'Strict' : undefined,
  };
  return { method: 'PATCH', path, query, contentType, body: object };
}

function bodyOf(answer: KubeAnswer): unknown {
  if (answer.status >= 300) throw failureOf(answer);
  return answer.body;
}

/** A 404 for a list: the server does not serve the resource. */
function notServedError(type: ResourceType): AppError {
  const message = `the API server does not serve ${type.plural} of ${apiVersionOf(type)}`;
  return new AppError('CLUSTER_REFUSED', message, { details: { httpStatus: 404, resource: type.plural } });
}

const EVENT_KINDS = { ADDED: 'added', MODIFIED: 'modified', DELETED: 'deleted' } as const;

function watchEventOf<T extends KubeObject>(line: unknown): WatchEvent<T> {
  const { type, object } = line as { type: string; object: T & { code?: number } };
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') return { kind: EVENT_KINDS[type], object };
  if (type === 'BOOKMARK') return { kind: 'bookmark', resourceVersion: object.metadata.resourceVersion ?? '' };
  if (type !== 'ERROR')
    throw new AppError('CLUSTER_REFUSED', `the API server sent an event of the unknown type “${type}”`);
  if (object.code === 410) return { kind: 'expired' };
  throw failureOf({ status: object.code ?? 0, body: object });
}

interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly causes?: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[];
  };
}

const REFUSALS: Readonly<Record<number, Refused['reason']>> = { 404: 'not-found', 409: 'conflict', 422: 'invalid' };

/** The refusal of a write; throws for other failures. */
function refusalOf(answer: KubeAnswer): Refused {
  const status = statusOf(answer.body);
  const unknown = answer.status === 500 ? unknownField(status) : undefined;
  if (unknown !== undefined) return { kind: 'refused', reason: 'invalid', message: unknown, causes: [] };
  const reason = REFUSALS[answer.status];
  if (reason === undefined) throw failureOf(answer);
  const isOfOther = status.details?.causes?.some(({ field }) => field === 'metadata.uid') ?? false;
  return {
    kind: 'refused',
    // The server takes the uid of a former object of the name for an attempt to change the uid.
    reason: status.reason === 'AlreadyExists' ? 'already-exists' : isOfOther ? 'conflict' : reason,
    message: status.message ?? `HTTP status ${answer.status}`,
    causes: (status.details?.causes ?? []).map(({ field, message = '', reason }) => ({ field, message, reason })),
  };
}

/** The server reports a field that its schema lacks as a failure of its own; undefined for other failures. */
function unknownField({ message = '' }: Status): string | undefined {
  const [, field, problem] = /failed to create typed patch object .*?(\.\S+): (.*)$/s.exec(message) ?? [];
  if (field === undefined || problem === undefined) return undefined;
  return `the schema of the cluster does not have this field: ${field}: ${problem}. The definition or the cluster is older than this version of Equipoise: update it (docs/guide/upgrading.md)`;
}

/** CLUSTER_REFUSED, retryable if the server is busy or broken. */
function failureOf({ status, body, retryAfterSeconds }: KubeAnswer): AppError {
  const { message, reason } = statusOf(body);
  return new AppError('CLUSTER_REFUSED', `the API server answered ${status}: ${message ?? 'no reason given'}`, {
    retryable: status === 429 || status >= 500,
    details: { httpStatus: status, reason, retryAfterSeconds },
  });
}

function statusOf(body: unknown): Status {
  return typeof body === 'object' && body !== null ? (body as Status) : {};
}
