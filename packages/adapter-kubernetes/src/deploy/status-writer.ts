/**
 * Writes the status of pipelines and tells events of what changed in it. What is only progress, such as one more replica that is ready, is
 * written once a second at most; everything else at once.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '@equipoise/core/model';
import { type Applier, type KubeApi, refusalError } from '../api/kube-api.js';
import { objectKey } from '../api/kube-object.js';
import { type InferencePipeline, pipelines } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import { keyOfPipeline } from '../observe/pipeline-index.js';
import { events, eventsOf } from './events.js';

/** What a writer stands on. */
export interface StatusWriterDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly nowEpochMs: () => number;
  readonly applier: Applier;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** Between two statuses that differ in progress alone. */
const PROGRESS_MS = 1_000;
/** So long a watch may take to show what was written. */
const SHOWN_WITHIN_MS = 5_000;

interface WrittenStatus {
  /** Version of the pipeline that was seen before. */
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

  /** A pipeline with the status that was written last, also where the watch has not shown it yet. */
  latest(pipeline: InferencePipeline): InferencePipeline {
    const told = this.#written.get(keyOfPipeline(pipeline));
    if (told === undefined || told.before !== pipeline.metadata.resourceVersion) return pipeline;
    return this.#deps.clock.nowMs() - told.atMs < SHOWN_WITHIN_MS ? told.pipeline : pipeline;
  }

  /** Writes a status that differs; asks to come again where that can wait. Gives the pipeline as it is then. */
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
    const { name, namespace, resourceVersion } = pipeline.metadata;
    const seen = pipeline === last?.pipeline ? last.before : resourceVersion;
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
    const told = { apiVersion: pipeline.apiVersion, kind: pipeline.kind, metadata, spec: undefined, status };
    const result = await this.#deps.api.applyStatus(pipelines, told, this.#deps.applier);
    // A pipeline that is gone needs no status.
    if (result.kind === 'refused' && result.reason !== 'not-found')
      throw refusalError(objectKey(pipeline.metadata), result);
    await this.#announce(pipeline, status);
    if (result.kind === 'refused') return { pipeline };
    this.#written.set(key, { before: seen, pipeline: result.object, atMs: this.#deps.clock.nowMs() });
    return { pipeline: result.object };
  }

  /** Forgets a pipeline that is gone, by its key in the index. */
  forget(key: string): void {
    this.#written.delete(key);
  }

  /** Tells what changed in the status. An event that cannot be told is not worth another pass. */
  async #announce(pipeline: InferencePipeline, { conditions = [] }: InferencePipelineStatus): Promise<void> {
    const { api, applier, onFailure } = this.#deps;
    const { fieldManager } = applier;
    const announcing = eventsOf(pipeline, conditions, this.#deps.nowEpochMs()).map(async (event) => {
      try {
        const result = await api.create(events, event, { fieldManager });
        if (result.kind === 'refused' && result.reason === 'invalid') throw refusalError(event.metadata.name, result);
      } catch (error) {
        onFailure(events.plural, error);
      }
    });
    await Promise.all(announcing);
  }
}

/** What is left of a status when the words and numbers that change with every replica are taken out. */
function withoutProgress(status: InferencePipelineStatus | undefined): unknown {
  const { conditions = [], replicas, ...rest } = status ?? {};
  return { ...rest, desired: replicas?.desired, conditions: conditions.map(({ message: _, ...each }) => each) };
}

/** A status as the server keeps it. */
const asStored = (status: InferencePipelineStatus): InferencePipelineStatus =>
  JSON.parse(JSON.stringify(status)) as InferencePipelineStatus;
