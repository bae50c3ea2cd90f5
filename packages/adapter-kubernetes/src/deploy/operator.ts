/**
 * Reconciles every pipeline. A change of its objects or its plan triggers a pass over the whole pipeline. All lasting
 * state is in the cluster.
 */
import { setMaxListeners } from 'node:events';
import type { AlarmClock, Rng } from '@equipoise/core/model';
import { OPERATOR_MANAGER } from '../api/field-managers.js';
import { type KubeApi, refusalError } from '../api/kube-api.js';
import { type KubeObject, type ObjectRef, objectKey } from '../api/kube-object.js';
import { type InferencePipeline, pipelines } from '../cluster/observed-objects.js';
import { WorkQueue } from '../cluster/work-queue.js';
import { PipelineIndex } from '../observe/pipeline-index.js';
import { PipelinePlanning, type PlanSource, type Rendering } from '../plan/planning.js';
import { FINALIZER, reconcile } from '../reconcile/reconcile.js';
import type { ObservedPipeline, Phase, Reconciliation } from '../reconcile/reconciliation.js';
import { ChildWriter, childId } from './child-writer.js';
import { StatusWriter } from './status-writer.js';

/** Serves all namespaces by default. */
export interface OperatorDeps extends Rendering {
  readonly api: KubeApi;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly nowEpochMs: () => number;
  readonly source: PlanSource;
  readonly namespace?: string;
  /** Failures that are retried; `what` is a resource or the key of a pipeline. */
  readonly onFailure: (what: string, error: unknown) => void;
  readonly onPass?: (key: string, pass: PassReport) => void;
  readonly onGone?: (key: string) => void;
}

export interface PassReport {
  readonly pipeline: InferencePipeline;
  readonly phase: Phase;
  readonly applied: readonly KubeObject[];
  readonly removed: readonly ObjectRef[];
  readonly status: Reconciliation['status'];
  /** The verdict on a canary is still open. */
  readonly awaitsVerdict: boolean;
}

/** Maximum time between two passes, in case the watch missed an event. */
const RESYNC_MS = 300_000;
const LISTING_RETRY_MS = 200;

export class Operator {
  readonly #deps: OperatorDeps;
  readonly #index: PipelineIndex;
  readonly #queue: WorkQueue;
  readonly #planning: PipelinePlanning;
  readonly #children: ChildWriter;
  readonly #status: StatusWriter;

  constructor(base: OperatorDeps) {
    this.#deps = base;
    const applier = { fieldManager: OPERATOR_MANAGER, force: true };
    this.#children = new ChildWriter({ ...base, applier });
    this.#status = new StatusWriter({ ...base, applier });
    this.#queue = new WorkQueue(base, (key) => this.#pass(key), base.onFailure);
    this.#planning = new PipelinePlanning(base.source, base);
    base.source.onDecided((key) => this.#queue.add(key));
    this.#index = new PipelineIndex(base, base.namespace, {
      onChange: (key) => this.#queue.add(key),
      onFailure: base.onFailure,
    });
  }

  /** Keys of all pipelines; undefined until every resource is listed. */
  get pipelines(): readonly string[] | undefined {
    return this.#index.isComplete ? this.#index.keys() : undefined;
  }

  get isIdle(): boolean {
    return this.#index.isComplete && this.#queue.isIdle;
  }

  /** Resolves when everything has stopped. */
  async run(signal: AbortSignal): Promise<void> {
    // Each reflector adds a listener. Node would warn of a leak above ten.
    setMaxListeners(0, signal);
    await Promise.all([this.#index.run(signal), this.#queue.run(signal)]);
  }

  async #pass(key: string): Promise<{ readonly againAfterMs?: number }> {
    if (!this.#index.isComplete) return { againAfterMs: LISTING_RETRY_MS };
    const seen = this.#index.view(key);
    if (seen === undefined) {
      for (const memory of [this.#planning, this.#children, this.#status]) memory.forget(key);
      this.#deps.onGone?.(key);
      return {};
    }
    const view = { ...seen, pipeline: this.#status.latest(seen.pipeline) };
    const planning = await this.#planning.planningOf(key, view);
    const nowEpochMs = this.#deps.nowEpochMs();
    const observed = { ...view, ...this.#deps.source.signalsOf(key) };
    const result = reconcile(observed, planning, { fieldManager: OPERATOR_MANAGER, nowEpochMs });
    const delaysMs = await this.#carryOut(key, view, result);
    return { againAfterMs: Math.min(RESYNC_MS, ...[result.againAfterMs, ...delaysMs].filter(isNumber)) };
  }

  async #carryOut(
    key: string,
    { pipeline, children }: Pick<ObservedPipeline, 'pipeline' | 'children'>,
    result: Reconciliation,
  ): Promise<readonly (number | undefined)[]> {
    if (result.finalizer === 'set') await this.#setFinalizers(pipeline, [FINALIZER]);
    const live = new Map(children.map((child) => [childId(child), child]));
    const childWrites = await this.#children.apply(key, result.apply, live);
    await this.#children.remove(key, result.remove, live);
    const statusWrite = await this.#status.write(pipeline, result.status);
    if (result.finalizer === 'take-off') await this.#setFinalizers(statusWrite.pipeline, []);
    const { phase, status, remove: removed } = result;
    const awaitsVerdict = result.awaitsVerdict === true;
    this.#deps.onPass?.(key, { pipeline, phase, status, applied: childWrites.objects, removed, awaitsVerdict });
    return [childWrites.againAfterMs, statusWrite.againAfterMs];
  }

  /**
   * Replaces the operator's finalizers. Throws if the object has changed since it was read, but not if it is deleted.
   */
  async #setFinalizers(pipeline: InferencePipeline, finalizers: readonly string[]): Promise<void> {
    const { apiVersion, kind } = pipeline;
    const { name, namespace = '', uid = '', resourceVersion = '' } = pipeline.metadata;
    const metadata = { name, namespace, uid, resourceVersion, ...(finalizers.length > 0 && { finalizers }) };
    const object = { apiVersion, kind, metadata, spec: undefined };
    const result = await this.#deps.api.apply(pipelines, object, { fieldManager: OPERATOR_MANAGER });
    if (result.kind !== 'refused' || result.reason === 'not-found') return;
    // The request names a uid, so a conflict may also mean that the object is deleted.
    if (result.reason === 'conflict' && !(await this.#isThere(pipeline))) return;
    throw refusalError(objectKey({ name, namespace }), result);
  }

  async #isThere({ metadata: { name, namespace, uid } }: InferencePipeline): Promise<boolean> {
    const found = await this.#deps.api.get({ type: pipelines, name, namespace });
    return found !== undefined && found.metadata.uid === uid;
  }
}

const isNumber = (value: number | undefined): value is number => value !== undefined;
