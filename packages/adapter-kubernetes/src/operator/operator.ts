/**
 * The operator: every pipeline of the cluster, brought from what is observed to what is wanted, again and again. Whatever changes leads to
 * a pass over the pipeline as a whole; a pass remembers nothing that the cluster does not show. What it does keep, what was applied last,
 * only saves asking for the same thing twice.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type AlarmClock, AppError, type Rng } from '@equipoise/core';
import type { KubeApi, Refused } from '../api/kube-api.js';
import { type KubeObject, type ObjectRef, objectKey } from '../api/kube-object.js';
import { WorkQueue } from '../cluster/work-queue.js';
import { FINALIZER } from './ending.js';
import { events, eventsOf } from './events.js';
import { childTypes, type InferencePipeline, pipelines } from './observed-objects.js';
import { PipelineIndex } from './pipeline-index.js';
import { PipelinePlanning, type PlanSource, type Rendering } from './planning.js';
import { reconcile } from './reconcile.js';
import type { Reconciliation } from './reconciliation.js';

/** In whose name the operator writes. */
const FIELD_MANAGER = 'equipoise-operator';

/** What an operator stands on; without a namespace it is for all of them. */
export interface OperatorBase extends Rendering {
  readonly api: KubeApi;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly nowEpochMs: () => number;
  readonly source: PlanSource;
  readonly namespace?: string;
  /** Told of what fails and is tried again; `what` is a resource or the key of a pipeline. */
  readonly failed: (what: string, error: unknown) => void;
}

/** A pass without a change from outside, should one ever have been missed. */
const AGAIN_AFTER_MS = 300_000;
/** Before everything was listed once nothing can be said. */
const NOT_LISTED_MS = 200;

export class Operator {
  readonly #base: OperatorBase;
  readonly #index: PipelineIndex;
  readonly #queue: WorkQueue;
  readonly #planning: PipelinePlanning;
  /** Digest of what was applied last and the version that it led to, by object. */
  readonly #applied = new Map<string, { readonly digest: string; readonly version: string }>();

  constructor(base: OperatorBase) {
    this.#base = base;
    this.#queue = new WorkQueue(base, (key) => this.#pass(key), base.failed);
    this.#planning = new PipelinePlanning(base.source, base);
    base.source.onDecided((key) => this.#queue.add(key));
    this.#index = new PipelineIndex(base, base.namespace, {
      changed: (key) => this.#queue.add(key),
      failed: base.failed,
    });
  }

  /** Works until `signal` aborts; resolves when nothing of it runs any more. Made to be given to a `LeaseElector`. */
  async run(signal: AbortSignal): Promise<void> {
    // Each reflector listens, of which there are as many as resources.
    setMaxListeners(0, signal);
    await Promise.all([this.#index.run(signal), this.#queue.run(signal)]);
  }

  async #pass(key: string): Promise<{ readonly againAfterMs?: number }> {
    if (!this.#index.isComplete) return { againAfterMs: NOT_LISTED_MS };
    const view = this.#index.view(key);
    if (view === undefined) {
      this.#planning.forget(key);
      return {};
    }
    const planning = await this.#planning.of(key, view);
    const nowEpochMs = this.#base.nowEpochMs();
    const observed = { ...view, ...this.#base.source.situationOf(key) };
    const result = reconcile(observed, planning, { fieldManager: FIELD_MANAGER, nowEpochMs });
    await this.#carryOut(view.pipeline, view.children, result);
    return { againAfterMs: result.againAfterMs ?? AGAIN_AFTER_MS };
  }

  async #carryOut(pipeline: InferencePipeline, children: readonly KubeObject[], result: Reconciliation): Promise<void> {
    if (result.finalizer === 'set') await this.#setFinalizers(pipeline, [FINALIZER]);
    const live = new Map(children.map((child) => [idOf(child), child]));
    for (const object of result.apply) await this.#apply(object, live.get(idOf(object)));
    for (const ref of result.remove) await this.#remove(ref, live);
    await this.#tell(pipeline, result);
    if (result.finalizer === 'take-off') await this.#setFinalizers(pipeline, []);
  }

  /** Applies an object unless the same was applied and nobody has touched it since. */
  async #apply(object: KubeObject, live: KubeObject | undefined): Promise<void> {
    const type = childTypes[object.kind];
    if (type === undefined)
      throw new AppError('INTERNAL_ERROR', `the operator does not know objects of kind ${object.kind}`);
    const id = idOf(object);
    const digest = createHash('sha256').update(JSON.stringify(object)).digest('hex');
    const before = this.#applied.get(id);
    if (live !== undefined && before?.digest === digest && before.version === versionOf(live)) return;
    const result = await this.#base.api.apply(type, object, { fieldManager: FIELD_MANAGER, force: true });
    if (result.kind === 'refused') throw refusal(id, result);
    this.#applied.set(id, { digest, version: versionOf(result.object) });
  }

  async #remove(ref: ObjectRef, live: ReadonlyMap<string, KubeObject>): Promise<void> {
    const child = live.get(idOf({ kind: ref.type.kind, metadata: ref }));
    const { uid } = child?.metadata ?? {};
    const result = await this.#base.api.delete(ref, uid === undefined ? {} : { uid });
    if (result.kind === 'refused' && result.reason !== 'not-found') throw refusal(objectKey(ref), result);
    this.#applied.delete(idOf({ kind: ref.type.kind, metadata: ref }));
  }

  async #tell(pipeline: InferencePipeline, { status }: Reconciliation): Promise<void> {
    if (sameStatus(pipeline.status, status)) return;
    const { name, namespace } = pipeline.metadata;
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
    const told = { apiVersion: pipeline.apiVersion, kind: pipeline.kind, metadata, spec: undefined, status };
    const result = await this.#base.api.applyStatus(pipelines, told, { fieldManager: FIELD_MANAGER, force: true });
    // A pipeline that is gone needs no status.
    if (result.kind === 'refused' && result.reason !== 'not-found') throw refusal(objectKey(metadata), result);
    await this.#announce(pipeline, status);
  }

  /** Tells what changed in the status. An event that cannot be told is not worth another pass. */
  async #announce(pipeline: InferencePipeline, { conditions = [] }: Reconciliation['status']): Promise<void> {
    for (const event of eventsOf(pipeline, conditions, this.#base.nowEpochMs())) {
      try {
        const result = await this.#base.api.create(events, event, { fieldManager: FIELD_MANAGER });
        if (result.kind === 'refused' && result.reason === 'invalid') throw refusal(event.metadata.name, result);
      } catch (error) {
        this.#base.failed(events.plural, error);
      }
    }
  }

  /** Owns these finalizers of a pipeline, and gives up others that it owned; only of this very version of this very object. */
  async #setFinalizers(pipeline: InferencePipeline, finalizers: readonly string[]): Promise<void> {
    const { apiVersion, kind } = pipeline;
    const { name, namespace = '', uid = '', resourceVersion = '' } = pipeline.metadata;
    const metadata = { name, namespace, uid, resourceVersion, ...(finalizers.length > 0 && { finalizers }) };
    const object = { apiVersion, kind, metadata, spec: undefined };
    const result = await this.#base.api.apply(pipelines, object, { fieldManager: FIELD_MANAGER });
    if (result.kind !== 'refused' || result.reason === 'not-found') return;
    // Because of the uid an object that is gone is told as a conflict, too.
    if (result.reason === 'conflict' && !(await this.#isThere(pipeline))) return;
    throw refusal(objectKey({ name, namespace }), result);
  }

  async #isThere({ metadata: { name, namespace, uid } }: InferencePipeline): Promise<boolean> {
    const found = await this.#base.api.get({ type: pipelines, name, ...(namespace !== undefined && { namespace }) });
    return found !== undefined && found.metadata.uid === uid;
  }
}

/** Changes whenever somebody changes what is wanted of an object; a status of its own does not count. */
const versionOf = ({ metadata: { generation, resourceVersion } }: KubeObject): string =>
  generation === undefined ? `v${resourceVersion}` : `g${generation}`;

const idOf = ({
  kind,
  metadata,
}: Pick<KubeObject, 'kind'> & { metadata: { name: string; namespace?: string } }): string =>
  `${kind} ${objectKey(metadata)}`;

function refusal(what: string, { reason, message }: Refused): AppError {
  return new AppError('CLUSTER_REFUSED', `${what}: ${reason}: ${message}`, { retryable: true });
}

/** Whether two statuses are alike as the server would keep them. */
function sameStatus(a: InferencePipeline['status'], b: InferencePipeline['status']): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)))
      : each,
  );
}
