/** What an operator is made of, for one that stays and for one that ends when nothing is left to do. */
import { randomInt, randomUUID } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import {
  askRouter,
  FollowedPlans,
  type Images,
  type InferencePipeline,
  imagesNamedBy,
  type PipelinePlanner,
} from '@equipoise/adapter-kubernetes';
import { needsRestart } from '@equipoise/core/control';
import {
  AppError,
  type Decision,
  type Observation,
  type PipelineSpec,
  type PlanResult,
  SeededRng,
} from '@equipoise/core/model';
import { monotonicClock, Planner, PlanningThreads, planningThreadsFor } from '@equipoise/runtime';
import { InvalidArgumentError } from 'commander';
import { type ImageFlag, images } from '../terminal/flag-values.js';
import { VERSION } from '../version.js';
import type { Cluster } from './cluster.js';

/** Flags of the command that both need. */
export interface OperatorFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly image?: string;
  readonly leaderElection: boolean;
  readonly leaseName: string;
  readonly leaseNamespace?: string;
}

/** The flags that choose a cluster. */
export const clusterOf = ({ kubeconfig, context }: OperatorFlags) => ({
  ...(kubeconfig !== undefined && { kubeconfig }),
  ...(context !== undefined && { context }),
});

/** The namespace that is looked after; undefined for all of them. */
export const scopeOf = ({ allNamespaces, namespace }: OperatorFlags, cluster: Cluster): string | undefined =>
  allNamespaces === true ? undefined : (namespace ?? cluster.namespace);

/** The API with time and chance. */
export const operatorBase = ({ api }: Cluster) => ({
  ...{ api, clock: monotonicClock, nowEpochMs: Date.now },
  rng: new SeededRng(randomInt(2 ** 31)),
});

/** Plans that follow the routers, made in a few threads for all pipelines; close them in the end. */
export function plansFor(cluster: Cluster, report: (key: string, decision: Decision) => void): FollowedPlans {
  const threads = new PlanningThreads({ threads: planningThreadsFor(availableParallelism()) });
  return new FollowedPlans({
    ...{ ...operatorBase(cluster), ask: askRouter, report },
    plannerFor: (spec) => new ThreadPlanner(spec, threads),
  });
}

/** A failure with what to do about it where the cluster does not know what an operator looks after; others as they are. */
export function advised(error: unknown): unknown {
  const isUndefined = error instanceof AppError && error.details['resource'] === 'inferencepipelines';
  if (!isUndefined) return error;
  const { code, message, details, retryable } = error;
  const advice = '`kubectl apply --server-side -k deploy/kubernetes` defines them (docs/guide/kubernetes.md)';
  return new AppError(code, `${message}; ${advice}`, { details, retryable, cause: error });
}

/** Where and what is looked after. */
export function lookAfter({ image = `equipoise:${VERSION}` }: OperatorFlags, scope: string | undefined) {
  return {
    imagesOf: (pipeline: InferencePipeline) => pipelineImages(pipeline, image),
    ...(scope !== undefined && { namespace: scope }),
  };
}

/** The lease that this process stands for. */
export const candidacyOf = ({ leaseNamespace, leaseName }: OperatorFlags, { namespace }: Cluster) => ({
  ...{ namespace: leaseNamespace ?? namespace, name: leaseName },
  identity: `${hostname()}_${randomUUID()}`,
});

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

/** Images from flags; the last one for everything wins, as does the last for a stage or variant. */
export function imagesOf(flags: readonly ImageFlag[], usual: string): Images {
  const pipeline = flags.findLast(({ of }) => of === undefined)?.image ?? usual;
  const own = flags.flatMap(({ of, image }) => (of === undefined ? [] : [[of, image] as const]));
  return { pipeline, byVariant: Object.fromEntries(own) };
}

/** Throws AppError WRONG_USAGE where the annotation of the pipeline is none. */
function pipelineImages(pipeline: Parameters<typeof imagesNamedBy>[0], usual: string): Images {
  try {
    const flags = imagesNamedBy(pipeline).reduce<readonly ImageFlag[]>((before, text) => images(text, before), []);
    return imagesOf(flags, usual);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new AppError('WRONG_USAGE', `The annotation equipoise.dev/images cannot be read. ${error.message}`);
  }
}
