/** Writes statuses, and events for their changes. Progress alone is written at most once a second. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '@equipoise/core/model';
import { type Applier, type KubeApi, type Refused, refusalError } from '../api/kube-api.js';
import { objectKey } from '../api/kube-object.js';
import { type InferencePipeline, pipelines } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import { keyOfPipeline } from '../observe/pipeline-index.js';
import type { EventRecorder } from './event-recorder.js';
import { eventsOf } from './events.js';
import type { OverlapWatch } from './overlap-watch.js';

export interface StatusWriterDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly nowEpochMs: () => number;
  readonly applier: Applier;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly overlaps: Pick<OverlapWatch, 'noteWrite' | 'noteLoss'>;
}

/** The server does not compare the uid of a status. */
const REPLACED: Refused = {
  ...{ kind: 'refused', reason: 'conflict', causes: [] },
  message: 'the pipeline was deleted and created again',
};

const PROGRESS_MS = 1_000;
/** Maximum time until a watch shows a write. */
const SHOWN_WITHIN_MS = 5_000;

interface WrittenStatus {
  readonly before: string | undefined;
  readonly pipeline: InferencePipeline;
  readonly atMs: number;
}

export class StatusWriter {
  readonly #deps: StatusWriterDeps;
  readonly #written = new Map<string, WrittenStatus>();

  constructor(base: StatusWriterDeps) {
    this.#deps = base;
  }

  /** The pipeline with its last written status, even if the watch has not shown it yet. */
  latest(pipeline: InferencePipeline): InferencePipeline {
    const told = this.#written.get(keyOfPipeline(pipeline));
    if (told === undefined || told.before !== pipeline.metadata.resourceVersion) return pipeline;
    return this.#deps.clock.nowMs() - told.atMs < SHOWN_WITHIN_MS ? told.pipeline : pipeline;
  }

  /** `againAfterMs`: delay before the next try. */
  async write(
    pipeline: InferencePipeline,
    status: InferencePipelineStatus,
  ): Promise<{ readonly pipeline: InferencePipeline; readonly againAfterMs?: number }> {
    const kept = asStored(status);
    if (isDeepStrictEqual(pipeline.status, kept)) return { pipeline };
    const key = keyOfPipeline(pipeline);
    const last = this.#written.get(key);
    const restMs = (last?.atMs ?? Number.NEGATIVE_INFINITY) + PROGRESS_MS - this.#deps.clock.nowMs();
    if (restMs > 0 && isDeepStrictEqual(withoutProgress(pipeline.status), withoutProgress(kept)))
      return { pipeline, againAfterMs: restMs };
    const { name, namespace, uid, resourceVersion } = pipeline.metadata;
    const seen = pipeline === last?.pipeline ? last.before : resourceVersion;
    const metadata = { name, namespace };
    const told = { apiVersion: pipeline.apiVersion, kind: pipeline.kind, metadata, spec: undefined, status };
    const result = await this.#deps.api.applyStatus(pipelines, told, this.#deps.applier).catch((error: unknown) => {
      this.#deps.overlaps.noteLoss(key);
      throw error;
    });
    if (result.kind === 'refused' && result.reason !== 'not-found')
      throw refusalError(objectKey(pipeline.metadata), result);
    if (result.kind === 'written' && uid !== undefined && result.object.metadata.uid !== uid) {
      // The pipeline was deleted and created again: it has no plan and no roll-back of the former one.
      await this.#deps.api.applyStatus(pipelines, { ...told, status: {} }, this.#deps.applier);
      throw refusalError(objectKey(metadata), REPLACED);
    }
    await this.#deps.events.record(eventsOf(pipeline, status.conditions ?? [], this.#deps.nowEpochMs()));
    if (result.kind === 'refused') return { pipeline };
    this.#deps.overlaps.noteWrite(key, result.object);
    this.#written.set(key, { before: seen, pipeline: result.object, atMs: this.#deps.clock.nowMs() });
    return { pipeline: result.object };
  }

  forget(key: string): void {
    this.#written.delete(key);
  }
}

/** Drops words and numbers that change with every replica. */
function withoutProgress(status: InferencePipelineStatus | undefined): unknown {
  const { conditions = [], replicas, ...rest } = status ?? {};
  return { ...rest, desired: replicas?.desired, conditions: conditions.map(({ message: _, ...each }) => each) };
}

const asStored = (status: InferencePipelineStatus): InferencePipelineStatus =>
  JSON.parse(JSON.stringify(status)) as InferencePipelineStatus;
