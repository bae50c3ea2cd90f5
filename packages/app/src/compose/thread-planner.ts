/** A planning thread as the planner of a pipeline on a cluster: the rules of a served pipeline, where replicas are not on one host. */
import type { PipelinePlanner } from '@equipoise/adapter-kubernetes';
import { needsRestart } from '@equipoise/core/control';
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';
import { Planner, type PlanningThreads } from '@equipoise/runtime';

/** Seed of the planner's simulations. */
const SEED = 1;
const EVERYWHERE = Number.POSITIVE_INFINITY;

/** Profiles are those of the spec itself; pipelines share the threads. */
export class ThreadPlanner implements PipelinePlanner {
  readonly #threads: PlanningThreads;
  #spec: PipelineSpec;
  #planner: Planner;

  constructor(spec: PipelineSpec, threads: PlanningThreads) {
    this.#threads = threads;
    this.#spec = spec;
    this.#planner = plannerOf(spec, threads);
  }

  plan(arrivalRps: number): Promise<PlanResult> {
    return this.#planner.ask({ kind: 'plan', policy: 'equipoise', arrivalRps, verify: true });
  }

  async tick(observation: Observation, executes: boolean): Promise<Decision | undefined> {
    const planner = this.#planner;
    const { decision, kept } = await planner.ask({ kind: 'tick', observation, executes, changedByHand: false });
    if (kept !== undefined) planner.remember(kept);
    return decision;
  }

  show(observation: Observation): void {
    this.#planner.show(observation);
  }

  /** What was learned goes on where the description differs in what may change while serving; else all begins anew. */
  async reload(spec: PipelineSpec): Promise<void> {
    const before = this.#spec;
    this.#spec = spec;
    if (needsRestart(before, spec).length === 0) return this.#planner.reload({ spec, hostCores: EVERYWHERE });
    const old = this.#planner;
    this.#planner = plannerOf(spec, this.#threads);
    await old.close();
  }

  close(): Promise<void> {
    return this.#planner.close();
  }
}

const plannerOf = (spec: PipelineSpec, threads: PlanningThreads): Planner =>
  new Planner({ spec, profiles: [], hostCores: EVERYWHERE, seed: SEED }, threads);
