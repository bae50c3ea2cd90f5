/** Parses the custom resource as a pipeline file, plans and renders it. */
import {
  AppError,
  oneRouter,
  type PipelineSpec,
  type Plan,
  type ProfileSet,
  planOfRouters,
  type RouterSplit,
  routerBoundsProblems,
  specOfRouter,
} from '@equipoise/core/model';
import { canaryRules, changeBounds } from '@equipoise/core/serve';
import { type PipelineFileResult, parsePipelineFile } from '@equipoise/pipeline-file';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import { targetNamedBy } from '../observe/pipeline-target.js';
import type { ObservedPipeline, Planning } from '../reconcile/reconciliation.js';
import { engineFor } from '../render/engine.js';
import { graphEngineOf, type RenderTarget } from '../render/engines/targets.js';
import { checkImages, type Images } from '../render/render-request.js';
import { type CpuPolicy, usualCpuPolicy, withCpuPolicy } from './cpu-policy.js';
import { cpuPolicyNamedBy } from './pipeline-annotations.js';

export type PlanAnswer =
  | {
      readonly kind: 'plan';
      /** Plan of one router. */
      readonly plan: Plan;
      /** Missing for one router. */
      readonly split?: RouterSplit;
      readonly profiles: ProfileSet;
      /** Rate of all routers together. */
      readonly arrivalRps: number;
      readonly plannedAtEpochMs: number;
      /** Why the best plan misses the SLO. */
      readonly shortfall?: string | undefined;
    }
  | Extract<Planning, { kind: 'unplanned' }>;

export type PipelineSignals = Pick<ObservedPipeline, 'observed' | 'sides' | 'staleMs' | 'issue' | 'isReplanning'>;

/** `plan`: another answer. `signals`: another load or issue under the same plan. */
export type PlanNews = 'plan' | 'signals';

/**
 * Source of plans, called in every pass, even in mode `off`. Returns its last answer at once; the object stays the same
 * until the next decision.
 */
export interface PlanSource {
  planOf(key: string, spec: PipelineSpec, view: ObservedPipeline): Promise<PlanAnswer>;
  signalsOf(key: string): PipelineSignals;
  forget(key: string): void;
  onDecided(listener: (key: string, news: PlanNews) => void): void;
}

export interface Rendering {
  readonly imagesOf: (pipeline: InferencePipeline) => Images;
  /** For pipelines without annotations. */
  readonly cpuPolicy?: CpuPolicy;
}

/** Folder of the pipeline in the images. */
const BASE_DIR = '/pipeline';

/** Planning of a pipeline. The result stays the same object while spec and plan stay the same. */
export class PipelinePlanning {
  readonly #source: PlanSource;
  readonly #rendering: Rendering;
  readonly #known = new Map<string, Known>();

  constructor(source: PlanSource, rendering: Rendering) {
    this.#source = source;
    this.#rendering = rendering;
  }

  async planningOf(key: string, view: ObservedPipeline): Promise<Planning> {
    const { pipeline } = view;
    const { uid, generation, annotations = {} } = pipeline.metadata;
    const version = `${uid} ${generation} ${JSON.stringify(annotations)}`;
    const before = this.#known.get(key);
    const parsed = before?.version === version ? before.parsed : this.#parse(key, pipeline);
    if (parsed.kind === 'invalid') this.#source.forget(key);
    const answer = parsed.kind === 'valid' ? await this.#source.planOf(key, parsed.spec, view) : undefined;
    if (before?.version === version && before.answer === answer) return before.planning;
    const planning = planningFrom(pipeline, parsed, answer, this.#rendering);
    this.#known.set(key, { version, parsed, answer, planning });
    return planning;
  }

  #parse(key: string, pipeline: InferencePipeline): ParsedPipeline {
    const parsed = parse(key, pipeline);
    if (parsed.kind === 'invalid') return parsed;
    try {
      const cpuPolicy = cpuPolicyNamedBy(pipeline, this.#rendering.cpuPolicy ?? usualCpuPolicy);
      const target = targetNamedBy(pipeline);
      const spec = withCpuPolicy(parsed.spec, [], cpuPolicy);
      const engine = engineFor(target);
      // Throws if the hops of the engine use up the SLO.
      engine.planningSpec(spec);
      const refused = engine.limits(spec).refused.map(({ message }) => ({ path: '', message }));
      const problems = [...refused, ...routerProblems(spec, target)];
      return problems.length > 0 ? { kind: 'invalid', problems } : { kind: 'valid', spec, cpuPolicy, target };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { kind: 'invalid', problems: [{ path: '', message: error.message }] };
    }
  }

  forget(key: string): void {
    this.#known.delete(key);
    this.#source.forget(key);
  }
}

/** An engine that walks the graph has no router of ours. Several routers have equal numbers of replicas. */
function routerProblems(spec: PipelineSpec, target: RenderTarget): readonly { path: string; message: string }[] {
  const { routers = 1 } = spec;
  if (routers === 1) return [];
  const engine = graphEngineOf(target);
  if (engine !== undefined)
    return [{ path: 'spec.routers', message: `${engine} walks the graph itself, found ${routers} routers; set 1` }];
  if (routers === 'auto') return [];
  return routerBoundsProblems(spec, routers).map(({ index, field, message }) => ({
    path: `spec.stages[${index}].${field}.replicas`,
    message,
  }));
}

type ParsedPipeline =
  | {
      readonly kind: 'valid';
      readonly spec: PipelineSpec;
      readonly cpuPolicy: CpuPolicy;
      readonly target: RenderTarget;
    }
  | { readonly kind: 'invalid'; readonly problems: readonly { readonly path: string; readonly message: string }[] };

interface Known {
  readonly version: string;
  readonly parsed: ParsedPipeline;
  readonly answer: PlanAnswer | undefined;
  readonly planning: Planning;
}

function parse(key: string, { apiVersion, kind, metadata, spec }: InferencePipeline): PipelineFileResult {
  const document = JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec });
  return parsePipelineFile(document, { fileName: key, baseDir: BASE_DIR });
}

function planningFrom(
  pipeline: InferencePipeline,
  parsed: ParsedPipeline,
  answer: PlanAnswer | undefined,
  { imagesOf }: Rendering,
): Planning {
  if (parsed.kind === 'invalid') {
    const problems = parsed.problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    return { kind: 'invalid', message: problems.join('\n') };
  }
  const { spec, cpuPolicy, target } = parsed;
  const { mode } = spec.control;
  if (mode === 'off' || answer === undefined) return { kind: 'off' };
  if (answer.kind === 'unplanned') return answer;
  const { plan, split = oneRouter, profiles, arrivalRps, plannedAtEpochMs, shortfall } = answer;
  try {
    const images = imagesOf(pipeline);
    checkImages(images, spec);
    const engine = engineFor(target);
    const objects = engine.render({
      spec,
      plan,
      profiles,
      ...(split.count > 1 && { routers: split.count }),
      images,
      hasCpuLimits: cpuPolicy.hasCpuLimits,
      namespace: pipeline.metadata.namespace,
    });
    return {
      kind: 'planned',
      mode,
      plan: planOfRouters(plan, split),
      target,
      plannedAtEpochMs,
      arrivalRps,
      objects,
      bounds: changeBounds(specOfRouter(spec, split)),
      allowsCanary: canaryRules(spec).stages.size === spec.stages.length,
      shortfall,
    };
  } catch (error) {
    // The plan cannot be rendered, so a retry is useless.
    if (error instanceof AppError) return { kind: 'unplanned', reason: 'Failed', message: error.message };
    throw error;
  }
}
