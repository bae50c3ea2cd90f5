/**
 * Writes changed objects. A write counts as done for some seconds, even if the watch does not show it yet. An object is
 * created before it is applied, so an object of others is never changed. A refusal concerns one object: others are
 * still written, except Deployments that need the refused object.
 */
import { createHash } from 'node:crypto';
import { AppError, type Clock, type Rng } from '@equipoise/core/model';
import { type Applier, type KubeApi, type Refused, refusalError, type WriteResult } from '../api/kube-api.js';
import {
  type KubeObject,
  type ManagedFields,
  type ObjectMeta,
  type ObjectRef,
  objectKey,
  type ResourceType,
  refTo,
} from '../api/kube-object.js';
import { fewAtATime } from '../cluster/few-at-a-time.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import { engineTypes, ownedTypes } from '../cluster/observed-objects.js';
import { ADOPT, ownershipOf, type PipelineIdentity } from '../cluster/ownership.js';
import { retryAfterMs } from '../cluster/retry-delay.js';
import type { ChildRefusal } from '../reconcile/reconciliation.js';
import { REPLICAS_BY } from '../reconcile/replica-groups.js';
import { RefusedWrites } from './refused-writes.js';

export interface ChildWriterDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly applier: Applier;
}

/** `key`: namespace and name, by which the index knows the pipeline. */
export interface ChildOwner extends PipelineIdentity {
  readonly key: string;
}

/**
 * Outcome of the writes. `againAfterMs`: delay before checking objects that the watch has not shown, and refused ones.
 */
export interface WriteOutcome {
  readonly objects: readonly KubeObject[];
  readonly againAfterMs: number | undefined;
}

const AT_A_TIME = 4;
/** Maximum time until a watch shows a write. */
const SHOWN_WITHIN_MS = 5_000;

interface AppliedObject {
  readonly digest: string;
  readonly version: string;
  readonly before: string | undefined;
  readonly atMs: number;
  /** The answer of the server, until a watch shows it. */
  unshown: KubeObject | undefined;
}

type KnownObjects = Map<string, AppliedObject>;

/** The name belongs to an object of others. */
interface NameTaken {
  readonly kind: 'taken';
  readonly refusal: ChildRefusal;
}

export class ChildWriter {
  readonly #deps: ChildWriterDeps;
  readonly #applied = new Map<string, KnownObjects>();
  readonly #refused: RefusedWrites;
  readonly #digests = new WeakMap<KubeObject, string>();

  constructor(base: ChildWriterDeps) {
    this.#deps = base;
    this.#refused = new RefusedWrites(base);
  }

  /** Applies objects; `live` is keyed by `childId`. Workloads come last, after everything that their pods need. */
  async apply(
    owner: ChildOwner,
    objects: readonly KubeObject[],
    live: ReadonlyMap<string, KubeObject>,
  ): Promise<WriteOutcome> {
    const { key } = owner;
    const known = this.#applied.get(key) ?? new Map<string, AppliedObject>();
    this.#applied.set(key, known);
    const wanted = new Set(objects.map(childId));
    this.#refused.keepOnly(key, (id, { digest }) => (digest === DELETION ? live.has(id) : wanted.has(id)));
    const due = objects.filter(
      (object) =>
        !this.#isDone(known.get(childId(object)), object, live) &&
        this.#refused.isDue(key, childId(object), this.#digestOf(object)),
    );
    const written: KubeObject[] = [];
    const write = async (object: KubeObject): Promise<void> => {
      if (await this.#attempt(owner, object, () => this.#write(owner, known, object, live.get(childId(object)))))
        written.push(object);
    };
    const [workloads, others] = [due.filter(isWorkload), due.filter((object) => !isWorkload(object))];
    await fewAtATime(others, AT_A_TIME, write);
    const refusals = this.#refused.of(key);
    await fewAtATime(
      workloads.filter((workload) => !refusals.some((refusal) => isNeededBy(refusal, workload))),
      AT_A_TIME,
      write,
    );
    const isUnshown = objects.some((object) => known.get(childId(object))?.unshown !== undefined);
    const delaysMs = [isUnshown ? SHOWN_WITHIN_MS : undefined, this.#refused.againAfterMs(key)];
    return { objects: written, againAfterMs: earliest(delaysMs) };
  }

  async remove(owner: ChildOwner, refs: readonly ObjectRef[], live: ReadonlyMap<string, KubeObject>): Promise<void> {
    const due = refs.filter((ref) => this.#refused.isDue(owner.key, childId(namedObject(ref)), DELETION));
    await fewAtATime(due, AT_A_TIME, async (ref) => {
      const object = namedObject(ref);
      const id = childId(object);
      const { uid } = live.get(id)?.metadata ?? {};
      const isGone = await this.#attempt(owner, object, async () => {
        const result = await this.#deps.api.delete(ref, uid === undefined ? {} : { uid });
        return result.kind === 'refused' && result.reason !== 'not-found' ? result : undefined;
      });
      if (isGone) this.#applied.get(owner.key)?.delete(id);
    });
  }

  /** Refused writes of the last attempts. */
  refusalsOf(key: string): readonly ChildRefusal[] {
    return this.#refused.of(key);
  }

  forget(pipeline: string): void {
    this.#applied.delete(pipeline);
    this.#refused.forget(pipeline);
  }

  /** True if a write succeeded. Records a refusal; rethrows if the server gave no answer. */
  async #attempt(
    { key }: ChildOwner,
    object: KubeObject,
    write: () => Promise<Refused | NameTaken | undefined>,
  ): Promise<boolean> {
    const id = childId(object);
    const failed = (refusal: ChildRefusal, askedMs = 0): false => {
      const digest = object.apiVersion === DELETION ? DELETION : this.#digestOf(object);
      this.#refused.add(key, id, { digest, refusal, retryAfterMs: askedMs });
      return false;
    };
    const { kind, metadata } = object;
    try {
      const outcome = await write();
      if (outcome === undefined) {
        this.#refused.remove(key, id);
        return true;
      }
      if (outcome.kind === 'taken') return failed(outcome.refusal);
      // The object was replaced or removed meanwhile: the watch shows it soon.
      if (outcome.reason === 'conflict') throw refusalError(id, outcome);
      return failed({ kind, name: metadata.name, reason: 'ApplyFailed', message: outcome.message });
    } catch (error) {
      if (!isAnswered(error)) throw error;
      const refusal = { kind, name: metadata.name, reason: 'ApplyFailed', message: error.message } as const;
      return failed(refusal, retryAfterMs(error));
    }
  }

  #isDone(applied: AppliedObject | undefined, object: KubeObject, live: ReadonlyMap<string, KubeObject>): boolean {
    if (applied === undefined) return false;
    const seen = versionOf(live.get(childId(object)));
    if (seen === applied.version) applied.unshown = undefined;
    if (applied.digest !== this.#digestOf(object)) return false;
    if (applied.unshown === undefined) return seen === applied.version;
    return seen === applied.before && this.#deps.clock.nowMs() - applied.atMs < SHOWN_WITHIN_MS;
  }

  async #write(
    owner: ChildOwner,
    known: KnownObjects,
    object: KubeObject,
    shown: KubeObject | undefined,
  ): Promise<Refused | NameTaken | undefined> {
    const type = ownedTypes[object.kind];
    if (type === undefined)
      throw new AppError('INTERNAL_ERROR', `the operator does not know objects of kind ${object.kind}`);
    const result = await this.#createOrApply(owner, type, { object, shown, known: known.get(childId(object)) });
    if (result.kind !== 'written') return result;
    const version = versionOf(result.object) ?? '';
    const before = versionOf(shown);
    known.set(childId(object), {
      digest: this.#digestOf(object),
      version,
      before,
      atMs: this.#deps.clock.nowMs(),
      unshown: version === before ? undefined : result.object,
    });
    return undefined;
  }

  async #createOrApply(
    owner: ChildOwner,
    type: ResourceType,
    { object, shown, known }: { object: KubeObject; shown: KubeObject | undefined; known: AppliedObject | undefined },
  ): Promise<WriteResult | NameTaken> {
    const { api, applier } = this.#deps;
    let present = known?.unshown ?? shown;
    if (present === undefined) {
      const created = await api.create(type, object, applier);
      if (created.kind === 'written') return this.#afterCreation(type, created);
      if (created.reason !== 'already-exists') return created;
      present = await api.get(refTo(type, object));
      if (present === undefined) return created;
    }
    const ownership = ownershipOf(present, owner);
    if (ownership.kind === 'foreign') return { kind: 'taken', refusal: nameTaken(object, owner, ownership.manager) };
    const owned = await this.#withAppliedFields(type, present);
    if (owned.kind === 'refused') return owned;
    // The uid ensures that no other object of the name is changed.
    const { uid } = owned.object.metadata;
    const metadata = uid === undefined ? object.metadata : { ...object.metadata, uid };
    return api.apply(type, { ...object, metadata }, applier);
  }

  /** If a controller was faster, the next apply turns the fields. */
  async #afterCreation(type: ResourceType, created: WriteResult & { kind: 'written' }): Promise<WriteResult> {
    const applied = await this.#withAppliedFields(type, created.object);
    return applied.kind === 'written' ? applied : created;
  }

  /** Turns the fields that the operator created into applied ones. Otherwise, an apply could not remove them. */
  async #withAppliedFields(type: ResourceType, present: KubeObject): Promise<WriteResult> {
    const { api, applier } = this.#deps;
    const { managedFields = [] } = present.metadata;
    const isCreated = (entry: ManagedFields): boolean =>
      entry.manager === applier.fieldManager && entry.operation === 'Update' && entry.subresource === undefined;
    if (!managedFields.some(isCreated)) return { kind: 'written', object: present };
    const isApplied = managedFields.some(
      ({ manager, operation }) => manager === applier.fieldManager && operation === 'Apply',
    );
    const next = isApplied
      ? managedFields.filter((entry) => !isCreated(entry))
      : managedFields.map((entry) => (isCreated(entry) ? { ...entry, operation: 'Apply' as const } : entry));
    return api.setManagedFields(type, present, next);
  }

  #digestOf(object: KubeObject): string {
    const known = this.#digests.get(object);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(JSON.stringify(object)).digest('hex');
    this.#digests.set(object, digest);
    return digest;
  }
}

/** Stands for the digest and version of an object to delete. */
const DELETION = 'deletion';

const namedObject = ({ type, name, namespace }: ObjectRef): KubeObject => ({
  apiVersion: DELETION,
  kind: type.kind,
  metadata: { name, namespace },
});

/** Deployments, and all objects of engines. */
const isWorkload = ({ kind }: KubeObject): boolean =>
  kind === 'Deployment' || engineTypes.some((type) => type.kind === kind);

/** Pods mount the ConfigMap of their workload's name and run as the service account of the pipeline. */
const isNeededBy = ({ kind, name }: ChildRefusal, workload: KubeObject): boolean =>
  kind === 'ServiceAccount' || (kind === 'ConfigMap' && name === workload.metadata.name);

const isAnswered = (error: unknown): error is AppError => error instanceof AppError && error.code === 'CLUSTER_REFUSED';

function nameTaken(
  { kind, metadata: { name, namespace } }: KubeObject,
  owner: ChildOwner,
  manager: string,
): ChildRefusal {
  const place = namespace === undefined ? '' : `-n ${namespace} `;
  return {
    kind,
    name,
    reason: 'NameTaken',
    message: `The ${kind} ${name} belongs to ${manager} and is left alone. Delete or rename it, or hand it over: kubectl ${place}annotate ${kind.toLowerCase()} ${name} ${ADOPT}=${owner.name}`,
  };
}

const earliest = (delaysMs: readonly (number | undefined)[]): number | undefined => {
  const all = delaysMs.filter((each) => each !== undefined);
  return all.length === 0 ? undefined : Math.min(...all);
};

export function childId({
  kind,
  metadata,
}: {
  kind: string;
  metadata: Pick<ObjectMeta, 'namespace' | 'name'>;
}): string {
  return `${kind} ${objectKey(metadata)}`;
}

/** Annotations that people set. */
const OF_PEOPLE: readonly string[] = [ADOPT, REPLICAS_BY];

/** Version of an object without its status. A generation does not count the metadata. */
function versionOf(object: KubeObject | undefined): string | undefined {
  if (object === undefined) return undefined;
  const { uid, generation, resourceVersion, labels = {}, ownerReferences = [], annotations = {} } = object.metadata;
  if (generation === undefined) return `${uid} v${resourceVersion}`;
  const own = Object.entries(annotations).filter(
    ([name]) => name.startsWith(`${LABEL_PREFIX}/`) && !OF_PEOPLE.includes(name),
  );
  return `${uid} g${generation} ${JSON.stringify([labels, ownerReferences, own])}`;
}
