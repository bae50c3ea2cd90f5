/**
 * Reconciles every pipeline. A change of its objects or its plan triggers a pass over the whole pipeline. All lasting
 * state is in the cluster.
 */
import { setMaxListeners } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { type AlarmClock, AppError, type Rng } from '@equipoise/core/model';
import { OPERATOR_MANAGER } from '../api/field-managers.js';
import { type KubeApi, refusalError } from '../api/kube-api.js';
import { type KubeObject, type ObjectRef, objectKey } from '../api/kube-object.js';
import {
  deployments,
  type InferencePipeline,
  isLost,
  type ObservedDeployment,
  pipelines,
} from '../cluster/observed-objects.js';
import { ownershipOf, type PipelineIdentity } from '../cluster/ownership.js';
import { type PassTiming, WorkQueue } from '../cluster/work-queue.js';
import { Autoscalers } from '../observe/autoscalers.js';
import { Meshes } from '../observe/mesh.js';
import { NodeWatch } from '../observe/node-watch.js';
import { PipelineIndex } from '../observe/pipeline-index.js';
import { PipelinePlanning, type PlanSource, type Rendering } from '../plan/planning.js';
import { FINALIZER, reconcile } from '../reconcile/reconcile.js';
import type { ChildRefusal, ObservedPipeline, Phase, Reconciliation } from '../reconcile/reconciliation.js';
import { foreignWriter } from '../reconcile/replica-groups.js';
import { ChildWriter, childId } from './child-writer.js';
import { EventRecorder } from './event-recorder.js';
import { nodeEvents, refusalEvents, refusedListsEvent } from './events.js';
import { OverlapWatch } from './overlap-watch.js';
import { StatusWriter } from './status-writer.js';

/** Serves all namespaces by default. */
export interface OperatorDeps extends Rendering {
  readonly api: KubeApi;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly nowEpochMs: () => number;
  readonly source: PlanSource;
  readonly namespace?: string;
  /** Pipelines of this operator, by key; by default all. */
  readonly owns?: (key: string) => boolean;
  /** Names bad conditions of nodes that carry pods. Needs the right to list and watch nodes. */
  readonly watchesNodes?: boolean | undefined;
  /** Failures that are retried; `what` is a resource or the key of a pipeline. */
  readonly onFailure: (what: string, error: unknown) => void;
  readonly onPass?: (key: string, pass: PassReport) => void;
  readonly onGone?: (key: string) => void;
  readonly onTiming?: (timing: PassTiming) => void;
}

export interface PassReport {
  readonly pipeline: InferencePipeline;
  readonly phase: Phase;
  readonly applied: readonly KubeObject[];
  readonly removed: readonly ObjectRef[];
  readonly status: Reconciliation['status'];
  /** Writes that the server refuses; they are tried again. */
  readonly refusals: readonly ChildRefusal[];
  /** The verdict on a canary is still open. */
  readonly awaitsVerdict: boolean;
}

/** Maximum time between two passes, in case the watch missed an event. */
const RESYNC_MS = 300_000;
/** Time between two looks at autoscalers, which are not watched, and at an overlap, which may have ended. */
const FOREIGN_MS = 30_000;
const LISTING_RETRY_MS = 200;

export class Operator {
  readonly #deps: OperatorDeps;
  readonly #index: PipelineIndex;
  readonly #queue: WorkQueue;
  readonly #planning: PipelinePlanning;
  readonly #autoscalers: Autoscalers;
  readonly #meshes: Meshes;
  /** Undefined if nodes are not watched. */
  readonly #nodes: NodeWatch | undefined;
  readonly #children: ChildWriter;
  readonly #events: EventRecorder;
  readonly #status: StatusWriter;
  readonly #overlaps: OverlapWatch;
  /** Refused lists of the last event, by pipeline. */
  readonly #toldLists = new Map<string, string>();

  constructor(base: OperatorDeps) {
    this.#deps = base;
    const applier = { fieldManager: OPERATOR_MANAGER, force: true };
    this.#events = new EventRecorder({ ...base, fieldManager: OPERATOR_MANAGER });
    this.#autoscalers = new Autoscalers(base);
    this.#meshes = new Meshes(base);
    this.#children = new ChildWriter({ ...base, applier });
    this.#overlaps = new OverlapWatch(base.clock);
    this.#status = new StatusWriter({ ...base, applier, events: this.#events, overlaps: this.#overlaps });
    this.#queue = new WorkQueue(base, (key) => this.#pass(key), base.onFailure);
    this.#planning = new PipelinePlanning(base.source, base);
    base.source.onDecided((key, news) => this.#queue.add(key, { isUrgent: news === 'plan' }));
    this.#index = new PipelineIndex(base, base.namespace, {
      onChange: (key) => this.#queue.add(key),
      onPipeline: (key, pipeline) => this.#overlaps.noteVersion(key, pipeline),
      onFailure: base.onFailure,
      owns: base.owns,
    });
    if (base.watchesNodes === true)
      this.#nodes = new NodeWatch(base, {
        onChange: (node) => {
          for (const key of this.#index.keysOnNode(node)) this.#queue.add(key);
        },
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
    await Promise.all([this.#index.run(signal), this.#nodes?.run(signal), this.#queue.run(signal)]);
  }

  async #pass(key: string): Promise<{ readonly againAfterMs?: number }> {
    const seen = this.#index.view(key);
    if (!this.#index.isCompleteFor(seen?.pipeline)) {
      if (seen !== undefined) await this.#tellRefusedLists(key, seen.pipeline);
      return { againAfterMs: LISTING_RETRY_MS };
    }
    this.#toldLists.delete(key);
    if (seen === undefined) {
      const memories = [this.#planning, this.#children, this.#status, this.#overlaps, this.#meshes];
      for (const memory of memories) memory.forget(key);
      this.#nodes?.forget(key);
      this.#deps.onGone?.(key);
      return {};
    }
    this.#overlaps.look(key);
    const restMs = this.#overlaps.restMs(key);
    if (restMs > 0) return { againAfterMs: restMs };
    const pipeline = this.#status.latest(seen.pipeline);
    const { metadata } = pipeline;
    // Objects of others are neither read nor removed.
    const mesh = await this.#meshes.of(pipeline, seen.pods);
    const all = [...seen.children, ...(mesh?.objects ?? [])];
    const children = all.filter((child) => ownershipOf(child, metadata as PipelineIdentity).kind !== 'foreign');
    const hasOverlap = this.#overlaps.hasOverlap(key);
    const view = { ...seen, pipeline, children, mesh, hasOverlap };
    const planning = await this.#planning.planningOf(key, view);
    const nowEpochMs = this.#deps.nowEpochMs();
    const nodeConditions = this.#nodes?.conditionsOf(seen.pods.filter((pod) => !isLost(pod, nowEpochMs))) ?? [];
    const observed = { ...view, nodeConditions, ...this.#deps.source.signalsOf(key) };
    const isForeign = children.some(hasForeignReplicas);
    const autoscalers = isForeign ? await this.#autoscalers.of(pipeline.metadata.namespace) : undefined;
    const reconciled = (): Reconciliation => {
      const refusals = this.#children.refusalsOf(key);
      return reconcile({ ...observed, refusals, autoscalers }, planning, { nowEpochMs });
    };
    const delaysMs = await this.#carryOut(key, { ...observed, children: all }, reconciled);
    const latestMs = isForeign || hasOverlap ? FOREIGN_MS : RESYNC_MS;
    return { againAfterMs: Math.min(latestMs, ...delaysMs.filter(isNumber)) };
  }

  /** Without a pass there is no status, so an event says why. */
  async #tellRefusedLists(key: string, pipeline: InferencePipeline): Promise<void> {
    const refusals = this.#index.refusedLists;
    if (refusals.length === 0 || this.#toldLists.get(key) === refusals.join()) return;
    this.#toldLists.set(key, refusals.join());
    await this.#events.record([refusedListsEvent(pipeline, refusals, this.#deps.nowEpochMs())]);
  }

  /** Writes what `reconciled` returns. The status is computed again after the writes, because it names refusals. */
  async #carryOut(
    key: string,
    { pipeline, children, nodeConditions = [] }: Pick<ObservedPipeline, 'pipeline' | 'children' | 'nodeConditions'>,
    reconciled: () => Reconciliation,
  ): Promise<readonly (number | undefined)[]> {
    const result = reconciled();
    if (result.finalizer === 'set') await this.#setFinalizer(pipeline, true);
    const live = new Map(children.map((child) => [childId(child), child]));
    const owner = { key, name: pipeline.metadata.name, uid: pipeline.metadata.uid };
    const before = this.#children.refusalsOf(key);
    const childWrites = await this.#children.apply(owner, result.apply, live);
    await this.#children.remove(owner, result.remove, live);
    const refusals = this.#children.refusalsOf(key);
    const refused = refusals.filter((refusal) => !before.includes(refusal));
    const status = isDeepStrictEqual(before, refusals) ? result.status : reconciled().status;
    const statusWrite = await this.#status.write(pipeline, status);
    const news = this.#nodes?.newsOf(key, nodeConditions) ?? [];
    const nowEpochMs = this.#deps.nowEpochMs();
    const events = [...refusalEvents(pipeline, refused, nowEpochMs), ...nodeEvents(pipeline, news, nowEpochMs)];
    await this.#events.record(events);
    if (result.finalizer === 'take-off') await this.#setFinalizer(statusWrite.pipeline, false);
    const { phase, remove: removed } = result;
    const awaitsVerdict = result.awaitsVerdict === true;
    const applied = childWrites.objects;
    this.#deps.onPass?.(key, { pipeline, phase, status, applied, removed, awaitsVerdict, refusals });
    for (const refusal of refused) this.#deps.onFailure(key, refusedWriteError(refusal));
    return [result.againAfterMs, childWrites.againAfterMs, statusWrite.againAfterMs];
  }

  /**
   * Sets or takes off the operator's finalizer. No apply, because an apply keeps a finalizer that others own, too: those
   * of a restored backup do. Throws if the object has changed since it was read, but not if it is gone.
   */
  async #setFinalizer(pipeline: InferencePipeline, isWanted: boolean): Promise<void> {
    const { finalizers = [] } = pipeline.metadata;
    const others = finalizers.filter((each) => each !== FINALIZER);
    const wanted = isWanted ? [...others, FINALIZER] : others;
    const writer = { fieldManager: OPERATOR_MANAGER };
    const result = await this.#deps.api.setFinalizers(pipelines, pipeline, wanted, writer);
    if (result.kind === 'refused' && result.reason !== 'not-found')
      throw refusalError(objectKey(pipeline.metadata), result);
  }
}

const refusedWriteError = ({ kind, name, reason, message }: ChildRefusal): AppError =>
  new AppError('CLUSTER_REFUSED', `${kind} ${name}: ${reason}: ${message}`, { retryable: true });

const hasForeignReplicas = (child: KubeObject): boolean =>
  child.kind === deployments.kind && foreignWriter(child as ObservedDeployment) !== undefined;

const isNumber = (value: number | undefined): value is number => value !== undefined;
