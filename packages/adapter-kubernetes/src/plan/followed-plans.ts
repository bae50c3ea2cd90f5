/** Runs one control loop per pipeline. */
import type { PipelineSpec } from '@equipoise/core/model';
import { targetOf } from '../observe/pipeline-target.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';
import { graphEngineOf } from '../render/engines/targets.js';
import type { FollowedPipeline } from './followed-pipeline.js';
import { PlanLoop, type PlanLoopDeps } from './plan-loop.js';
import type { PipelineSignals, PlanAnswer, PlanNews, PlanSource } from './planning.js';

export class FollowedPlans implements PlanSource {
  readonly #deps: PlanLoopDeps;
  readonly #loops = new Map<string, PlanLoop>();
  readonly #subjects = new Map<string, string>();
  readonly #closing = new Set<Promise<void>>();
  readonly #listeners: ((key: string, news: PlanNews) => void)[] = [];

  constructor(base: PlanLoopDeps) {
    this.#deps = base;
  }

  planOf(key: string, spec: PipelineSpec, view: ObservedPipeline): Promise<PlanAnswer> {
    const subject = subjectOf(view);
    if (this.#subjects.get(key) !== subject) this.forget(key);
    const loop = this.#loops.get(key);
    if (loop !== undefined) {
      loop.update(spec, view);
      return Promise.resolve(loop.answer);
    }
    this.#subjects.set(key, subject);
    const made = new PlanLoop(this.#deps, key, { spec, view }, (news) => {
      for (const listener of this.#listeners) listener(key, news);
    });
    this.#loops.set(key, made);
    return Promise.resolve(made.answer);
  }

  signalsOf(key: string): PipelineSignals {
    const loop = this.#loops.get(key);
    if (loop === undefined) return {};
    const { sides, staleMs, isReplanning } = loop;
    const signals = { ...loop.signals, ...(isReplanning && { isReplanning }) };
    return sides === undefined ? { ...signals, staleMs } : { ...signals, sides };
  }

  /** Undefined for a pipeline without a control loop: an unknown or an invalid one. */
  followed(key: string): FollowedPipeline | undefined {
    return this.#loops.get(key)?.followed;
  }

  /** Pipelines with a control loop. */
  get keys(): readonly string[] {
    return [...this.#loops.keys()];
  }

  get count(): number {
    return this.#loops.size;
  }

  /** True while a pipeline waits for a plan, or for the first decision on its reported load. */
  get isUndecided(): boolean {
    return [...this.#loops.values()].some((loop) => loop.isUndecided);
  }

  forget(key: string): void {
    const loop = this.#loops.get(key);
    if (loop === undefined) return;
    this.#loops.delete(key);
    this.#subjects.delete(key);
    const closing = loop.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  onDecided(listener: (key: string, news: PlanNews) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    for (const key of [...this.#loops.keys()]) this.forget(key);
    await Promise.all(this.#closing);
  }
}

/** Subject of a loop. Another engine has other signals, and a pipeline that was created again has another history. */
const subjectOf = ({ pipeline }: ObservedPipeline): string =>
  `${pipeline.metadata.uid} ${graphEngineOf(targetOf(pipeline)) ?? 'router'}`;
