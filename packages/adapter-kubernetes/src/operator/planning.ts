/** From the custom resource to what is wanted: checked as a pipeline file is, planned by whoever plans, rendered as objects. */
import { AppError, type PipelineSpec, type Plan, type ProfileSet } from '@equipoise/core';
import { type PipelineFileResult, parsePipelineFile } from '@equipoise/pipeline-file';
import { renderPlan } from '../render/render-plan.js';
import type { Images } from '../render/render-request.js';
import type { InferencePipeline } from './observed-objects.js';
import type { Planning } from './reconciliation.js';

/** A plan with what it was made from, or why there is none. */
export type PlanAnswer =
  | {
      readonly kind: 'plan';
      readonly plan: Plan;
      readonly profiles: ProfileSet;
      readonly arrivalRps: number;
      readonly plannedAtEpochMs: number;
    }
  | Extract<Planning, { kind: 'unplanned' }>;

/**
 * Who plans. It is asked on every pass and answers at once with what it decided last, the same object until it decides again; then it calls
 * its listeners with the key.
 */
export interface PlanSource {
  planOf(key: string, spec: PipelineSpec): Promise<PlanAnswer>;
  onDecided(listener: (key: string) => void): void;
}

/** What the objects are made of that the pipeline does not say. */
export interface Rendering {
  readonly imagesOf: (pipeline: InferencePipeline) => Images;
}

/** Where the folder of the pipeline is in the images. */
const BASE_DIR = '/pipeline';

/** Decides what is wanted of pipelines; what it said of one stays as it is while neither its spec nor its plan changes. */
export class PipelinePlanning {
  readonly #source: PlanSource;
  readonly #rendering: Rendering;
  readonly #known = new Map<string, Known>();

  constructor(source: PlanSource, rendering: Rendering) {
    this.#source = source;
    this.#rendering = rendering;
  }

  async of(key: string, pipeline: InferencePipeline): Promise<Planning> {
    const { uid, generation } = pipeline.metadata;
    const version = `${uid} ${generation}`;
    const before = this.#known.get(key);
    const parsed = before?.version === version ? before.parsed : parse(key, pipeline);
    const answer =
      parsed.kind === 'valid' && parsed.spec.control.mode !== 'off'
        ? await this.#source.planOf(key, parsed.spec)
        : undefined;
    if (before?.version === version && before.answer === answer) return before.planning;
    const planning = planningFrom(pipeline, parsed, answer, this.#rendering);
    this.#known.set(key, { version, parsed, answer, planning });
    return planning;
  }

  /** Forgets a pipeline that is gone. */
  forget(key: string): void {
    this.#known.delete(key);
  }
}

interface Known {
  readonly version: string;
  readonly parsed: PipelineFileResult;
  readonly answer: PlanAnswer | undefined;
  readonly planning: Planning;
}

function parse(key: string, { apiVersion, kind, metadata, spec }: InferencePipeline): PipelineFileResult {
  const document = JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec });
  return parsePipelineFile(document, { fileName: key, baseDir: BASE_DIR });
}

function planningFrom(
  pipeline: InferencePipeline,
  parsed: PipelineFileResult,
  answer: PlanAnswer | undefined,
  { imagesOf }: Rendering,
): Planning {
  if (parsed.kind === 'invalid') {
    const problems = parsed.problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    return { kind: 'invalid', message: problems.join('\n') };
  }
  const { spec } = parsed;
  const { mode } = spec.control;
  if (mode === 'off' || answer === undefined) return { kind: 'off' };
  if (answer.kind === 'unplanned') return answer;
  const { plan, profiles, arrivalRps, plannedAtEpochMs } = answer;
  const { namespace } = pipeline.metadata;
  try {
    const objects = renderPlan({
      ...{ spec, plan, profiles, arrivalRps },
      target: 'deployment',
      images: imagesOf(pipeline),
      ...(namespace !== undefined && { namespace }),
    });
    return { kind: 'planned', mode, plan, plannedAtEpochMs, objects };
  } catch (error) {
    // What an engine cannot run is told, not tried again and again.
    if (error instanceof AppError) return { kind: 'unplanned', reason: 'Failed', message: error.message };
    throw error;
  }
}
