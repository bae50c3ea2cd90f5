/**
 * Network time of the edges from the router to the stages, as the proxies of a mesh measure it. Plans add it to each
 * batch of the stage. A missing figure leaves the last one; a stated `networkMs` takes precedence.
 */
import type { AlarmClock, PipelineSpec, StageId, VariantId } from '@equipoise/core/model';
import { objectName } from '../cluster/object-names.js';
import { isRouter } from '../cluster/observed-objects.js';
import { isInMesh } from '../observe/mesh.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';

/** Deployments whose edges are asked for. */
export interface NetworkQuestion {
  readonly namespace: string;
  readonly pipeline: string;
  readonly router: string;
  readonly stages: readonly { readonly stageId: StageId; readonly variantId: VariantId; readonly workload: string }[];
}

/** Mean time (ms) to a stage and back; a stage without requests or without fresh series is missing. */
export interface NetworkTimes {
  read(question: NetworkQuestion): Promise<ReadonlyMap<StageId, number>>;
}

const EVERY_MS = 30_000;
/** Plans change with the figure only beyond both, so that noise changes no plan. */
const LEAST_CHANGE_MS = 0.5;
const LEAST_CHANGE_FRACTION = 0.25;
/** A longer time is a fault, not a distance. */
const MOST_MS = 1_000;

export class NetworkWatch {
  readonly #times: NetworkTimes | undefined;
  readonly #clock: AlarmClock;
  readonly #inForce = new Map<StageId, number>();
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #known: { readonly given: PipelineSpec; readonly spec: PipelineSpec } | undefined;

  constructor(base: { readonly networkTimes?: NetworkTimes | undefined; readonly clock: AlarmClock }) {
    this.#times = base.networkTimes;
    this.#clock = base.clock;
  }

  /** Figures that plans use, by stage; rounded. */
  get inForce(): Readonly<Record<string, number>> | undefined {
    return this.#inForce.size === 0 ? undefined : Object.fromEntries(this.#inForce);
  }

  /** The spec with measured times; the same object for the same times. */
  specWith(given: PipelineSpec): PipelineSpec {
    if (this.#inForce.size === 0) return given;
    if (this.#known?.given === given) return this.#known.spec;
    const stages = given.stages.map((stage) => {
      const networkMs = stage.networkMs ?? this.#inForce.get(stage.id);
      return networkMs === undefined ? stage : { ...stage, networkMs };
    });
    const spec = { ...given, stages };
    this.#known = { given, spec };
    return spec;
  }

  /** Asks if it is time; `changed` is called if plans must change. Without an answer, nothing changes. */
  async look({ pipeline, pods }: ObservedPipeline, spec: PipelineSpec, changed: () => void): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (this.#times === undefined || nowMs < this.#nextAtMs || !pods.filter(isRouter).some(isInMesh)) return;
    this.#nextAtMs = nowMs + EVERY_MS;
    const { name, namespace = 'default' } = pipeline.metadata;
    const stages = spec.stages.flatMap(({ id: stageId, variants }) =>
      variants.map(({ id: variantId }) => ({ stageId, variantId, workload: objectName(name, stageId, variantId) })),
    );
    const found = await this.#times
      .read({ namespace, pipeline: name, router: objectName(name), stages })
      .catch(() => new Map<StageId, number>());
    const news = [...found].filter(([stageId, ms]) => this.#isNews(stageId, ms));
    for (const [stageId, ms] of news) this.#inForce.set(stageId, Number(Math.max(0, ms).toPrecision(2)));
    if (news.length === 0) return;
    this.#known = undefined;
    changed();
  }

  #isNews(stageId: StageId, ms: number): boolean {
    if (!Number.isFinite(ms) || ms > MOST_MS) return false;
    const before = this.#inForce.get(stageId) ?? 0;
    return Math.abs(Math.max(0, ms) - before) > Math.max(LEAST_CHANGE_MS, LEAST_CHANGE_FRACTION * before);
  }
}
