/** The plans of an operator: each pipeline has a loop that follows the load of its routers. */
import type { PipelineSpec } from '@equipoise/core/model';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';
import { PlanLoop, type PlanLoopBase } from './plan-loop.js';
import type { PlanAnswer, PlanSource, Situation } from './planning.js';

export class FollowedPlans implements PlanSource {
  readonly #base: PlanLoopBase;
  readonly #loops = new Map<string, PlanLoop>();
  readonly #closing = new Set<Promise<void>>();
  readonly #listeners: ((key: string) => void)[] = [];

  constructor(base: PlanLoopBase) {
    this.#base = base;
  }

  planOf(key: string, spec: PipelineSpec, view: ObservedPipeline): Promise<PlanAnswer> {
    const loop = this.#loops.get(key);
    if (loop !== undefined) {
      loop.see(spec, view);
      return Promise.resolve(loop.answer);
    }
    const made = new PlanLoop(this.#base, key, { spec, view }, () => {
      for (const listener of this.#listeners) listener(key);
    });
    this.#loops.set(key, made);
    return Promise.resolve(made.answer);
  }

  situationOf(key: string): Situation {
    const loop = this.#loops.get(key);
    if (loop === undefined) return {};
    const { situation, sides, silentMs } = loop;
    return sides === undefined ? { ...situation, silentMs } : { ...situation, sides };
  }

  /** How many pipelines are followed. */
  get count(): number {
    return this.#loops.size;
  }

  /** Whether a pipeline is still to get its first plan, or the first decision about the load that its routers show. */
  get isUndecided(): boolean {
    return [...this.#loops.values()].some((loop) => loop.isUndecided);
  }

  forget(key: string): void {
    const loop = this.#loops.get(key);
    if (loop === undefined) return;
    this.#loops.delete(key);
    const closing = loop.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  onDecided(listener: (key: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Follows nothing any more. */
  async close(): Promise<void> {
    for (const key of [...this.#loops.keys()]) this.forget(key);
    await Promise.all(this.#closing);
  }
}
