/** A client of the API server in memory. Each client has its own connection, which can be cut. */
import type {
  Applier,
  DeleteOptions,
  KubeApi,
  ListPage,
  Selection,
  WatchEvent,
  WriteResult,
  Writer,
} from '../kube-api.js';
import {
  type KubeObject,
  type ManagedFields,
  type ObjectRef,
  objectKey,
  type ResourceType,
  refTo,
} from '../kube-object.js';
import {
  type Fields,
  mergeApply,
  type Owners,
  ownChanges,
  type Subresource,
  withEntries,
} from './field-owners.test-support.js';
import { type Kept, type MemoryKube, noAnswer, refused } from './memory-kube.test-support.js';

/** Connection to the server: up, failing at once, or silent. */
export type Line = 'up' | 'down' | 'silent';

/** Metadata that the server writes. */
const SERVER_FIELDS = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
];
const IDENTITY = ['name', 'namespace'];

export class MemoryKubeApi implements KubeApi {
  line: Line = 'up';
  /** Calls that reached the server, as `VERB PLURAL`. */
  readonly calls: string[] = [];
  readonly #kube: MemoryKube;

  constructor(kube: MemoryKube) {
    this.#kube = kube;
  }

  async get<T extends KubeObject>(ref: ObjectRef<T>): Promise<T | undefined> {
    await this.#reach('get', ref.type);
    return this.#find(ref)?.object as T | undefined;
  }

  async list<T extends KubeObject>(
    selection: Selection<T>,
    page: { readonly limit?: number; readonly continueToken?: string } = {},
  ): Promise<ListPage<T>> {
    await this.#reach('list', selection.type);
    const [from = '', revision = String(this.#kube.revision)] = page.continueToken?.split('@') ?? [];
    if (page.continueToken !== undefined && this.#kube.isForgotten(Number(revision))) return { kind: 'expired' };
    const rest = this.#kube.selected(selection).filter((object) => objectKey(object.metadata) > from);
    const objects = rest.slice(0, page.limit) as T[];
    const last = objects.at(-1);
    const more = last !== undefined && objects.length < rest.length;
    return {
      kind: 'page',
      objects,
      resourceVersion: revision,
      ...(more && { continueToken: `${objectKey(last.metadata)}@${revision}` }),
    };
  }

  async *watch<T extends KubeObject>(
    selection: Selection<T>,
    from: { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    const silent = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
    if ((await Promise.race([this.#reach('watch', selection.type).then(() => true), silent])) === undefined) return;
    const feed = this.#kube.watch(selection, Number(from.resourceVersion), from.timeoutSeconds * 1000, signal);
    for await (const event of feed.events()) {
      if (this.line === 'down') throw noAnswer();
      yield event as WatchEvent<T>;
    }
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>> {
    await this.#reach('create', type);
    if (this.#find(refTo(type, object)) !== undefined) {
      return refused('already-exists', `${type.plural} "${object.metadata.name}" already exists`);
    }
    const fields = this.#withoutStatus(type, object);
    const owners = ownChanges(NOTHING, owned(fields), writer, undefined);
    return this.#kept(type, undefined, fields, owners);
  }

  async replace<T extends KubeObject>(type: ResourceType<T>, object: T, writer: Writer): Promise<WriteResult<T>> {
    await this.#reach('replace', type);
    const kept = this.#find(refTo(type, object));
    if (kept === undefined) return notFound(refTo(type, object));
    const stale = staleness(kept, object.metadata.resourceVersion);
    if (stale !== undefined) return stale;
    const before = kept.object as unknown as Fields;
    const next = this.#withoutStatus(type, object);
    if (this.#kube.resource(type).hasStatus === true) next['status'] = before['status'];
    next['metadata'] = {
      ...pick(before['metadata'] as Fields, ['deletionTimestamp']),
      ...(next['metadata'] as Fields),
    };
    const owners = ownChanges({ fields: owned(before), owners: kept.owners }, owned(next), writer, undefined);
    return this.#kept(type, kept, next, owners);
  }

  apply<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>> {
    return this.#apply(type, this.#withoutStatus(type, object), object, applier, undefined);
  }

  applyStatus<T extends KubeObject>(type: ResourceType<T>, object: T, applier: Applier): Promise<WriteResult<T>> {
    const { status } = object as unknown as Fields;
    const fields = { metadata: pick(object.metadata as unknown as Fields, IDENTITY), status };
    return this.#apply(type, fields, object, applier, 'status');
  }

  async setManagedFields<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    managedFields: readonly ManagedFields[],
  ): Promise<WriteResult<T>> {
    await this.#reach('set-managed-fields', type);
    const kept = this.#find(refTo(type, object));
    if (kept === undefined) return notFound(refTo(type, object));
    const stale = staleness(kept, object.metadata.resourceVersion);
    if (stale !== undefined) return stale;
    const fields = copy(kept.object) as unknown as Fields;
    return this.#kept(type, kept, fields, withEntries(kept.owners, managedFields));
  }

  async setFinalizers<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    finalizers: readonly string[],
    writer: Writer,
  ): Promise<WriteResult<T>> {
    await this.#reach('set-finalizers', type);
    const kept = this.#find(refTo(type, object));
    if (kept === undefined) return notFound(refTo(type, object));
    const stale = staleness(kept, object.metadata.resourceVersion);
    if (stale !== undefined) return stale;
    const before = copy(kept.object) as unknown as Fields;
    const others = drop(before['metadata'] as Fields, ['finalizers']);
    const next = { ...before, metadata: { ...others, ...(finalizers.length > 0 && { finalizers }) } };
    const owners = ownChanges({ fields: owned(before), owners: kept.owners }, owned(next), writer, undefined);
    return this.#kept(type, kept, next, owners);
  }

  async scale(ref: ObjectRef, replicas: number, writer: Writer): Promise<WriteResult> {
    await this.#reach('scale', ref.type);
    const kept = this.#find(ref);
    if (kept === undefined) return notFound(ref);
    const before = copy(kept.object) as unknown as Fields;
    const next = { ...before, spec: { ...(before['spec'] as Fields), replicas } };
    const owners = ownChanges({ fields: owned(before), owners: kept.owners }, owned(next), writer, 'scale');
    return this.#kept(ref.type, kept, next, owners);
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): ReturnType<KubeApi['delete']> {
    await this.#reach('delete', ref.type);
    const kept = this.#find(ref);
    if (kept === undefined) return notFound(ref);
    const stale = staleness(kept, options.resourceVersion);
    if (stale !== undefined) return stale;
    if (options.uid !== undefined && options.uid !== kept.object.metadata.uid) {
      return refused('conflict', `the uid in the precondition (${options.uid}) is not that of the object`);
    }
    this.#kube.remove(ref.type, kept);
    return { kind: 'deleted' };
  }

  async #apply<T extends KubeObject>(
    type: ResourceType<T>,
    wanted: Fields,
    object: T,
    applier: Applier,
    subresource: Subresource,
  ): Promise<WriteResult<T>> {
    await this.#reach(subresource === 'status' ? 'apply-status' : 'apply', type);
    const kept = this.#find(refTo(type, object));
    const hasNoStatus = subresource === 'status' && this.#kube.resource(type).hasStatus !== true;
    if (hasNoStatus || (kept === undefined && subresource !== undefined)) return notFound(refTo(type, object));
    const uid = subresource === undefined ? object.metadata.uid : undefined;
    const stale = staleness(kept, object.metadata.resourceVersion) ?? otherUid(kept, uid);
    if (stale !== undefined) return stale;
    const live = { fields: (copy(kept?.object) ?? { metadata: object.metadata }) as unknown as Fields };
    const owners = kept?.owners ?? [];
    const merge = mergeApply({ ...live, owners }, owned(wanted), applier, subresource);
    if (merge.kind === 'conflict') {
      const { causes } = merge;
      return refused('conflict', `Apply failed with ${causes.length} conflict: ${causes[0]?.message}`, causes);
    }
    const fields = kept === undefined ? { ...wanted, ...merge.fields } : merge.fields;
    const causes = this.#kube.resource(type).check?.(fields) ?? [];
    if (applier.dryRun && causes.length === 0) return { kind: 'written', object };
    return this.#kept(type, kept, fields, merge.owners);
  }

  #kept<T extends KubeObject>(
    type: ResourceType<T>,
    before: Kept | undefined,
    fields: Fields,
    owners: Owners,
  ): WriteResult<T> {
    const result = this.#kube.keep(type, before, fields, owners);
    return 'metadata' in result ? { kind: 'written', object: result as T } : result;
  }

  #find(ref: ObjectRef): Kept | undefined {
    return this.#kube.find(ref.type, objectKey(ref));
  }

  /** Object without its status, for writes of the main resource. */
  #withoutStatus(type: ResourceType, object: KubeObject): Fields {
    const { status, apiVersion, kind, metadata, ...rest } = copy(object) as unknown as Fields;
    const fields: Fields = { ...rest, metadata: drop(metadata as Fields, SERVER_FIELDS) };
    return this.#kube.resource(type).hasStatus === true || status === undefined ? fields : { ...fields, status };
  }

  async #reach(verb: string, type: ResourceType): Promise<void> {
    await Promise.resolve();
    if (this.line === 'down') throw noAnswer();
    if (this.line === 'silent') await new Promise(() => {});
    this.calls.push(`${verb} ${type.plural}`);
  }
}

const NOTHING = { fields: {}, owners: [] };

/** Fields that managers can own. */
function owned(fields: Fields): Fields {
  const { apiVersion, kind, metadata, ...rest } = fields;
  const ownMetadata = drop((metadata ?? {}) as Fields, [...SERVER_FIELDS, ...IDENTITY]);
  return Object.keys(ownMetadata).length === 0 ? rest : { ...rest, metadata: ownMetadata };
}

function staleness(kept: Kept | undefined, resourceVersion: string | undefined) {
  if (resourceVersion === undefined || kept?.object.metadata.resourceVersion === resourceVersion) return undefined;
  return refused('conflict', 'the object has been modified; please apply your changes to the latest version');
}

function otherUid(kept: Kept | undefined, uid: string | undefined) {
  if (uid === undefined || kept?.object.metadata.uid === uid) return undefined;
  return refused('conflict', 'the uid is not that of the object');
}

function notFound({ type, name }: ObjectRef) {
  return refused('not-found', `${type.plural} "${name}" not found`);
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

function drop(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

function copy<T>(value: T): T {
  return structuredClone(value);
}
