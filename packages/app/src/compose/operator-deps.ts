/** Dependencies shared by the permanent operator and `--once`. */
import { randomInt, randomUUID } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import {
  FollowedPlans,
  type Images,
  type InferencePipeline,
  imagesNamedBy,
  type PipelinePlanner,
  type PlannerAnswer,
  type PodAccount,
  type ShardSet,
  usualCpuPolicy,
} from '@equipoise/adapter-kubernetes';
import { PrometheusEngineMetrics } from '@equipoise/adapter-prometheus';
import { needsRestart } from '@equipoise/core/control';
import {
  AppError,
  type Decision,
  type Observation,
  type PipelineSpec,
  type PlanResult,
  SeededRng,
} from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import { monotonicClock, Planner, PlannerPool, plannerThreadsFor } from '@equipoise/runtime';
import { InvalidArgumentError } from 'commander';
import { type ImageFlag, images } from '../terminal/flag-values.js';
import { logLine } from '../terminal/log.js';
import { VERSION } from '../version.js';
import type { Cluster, ClusterOptions } from './cluster.js';
import { MeshNetworkTimes } from './network-times.js';
import { type PrometheusFlags, prometheusApi, USUAL_SCRAPE_INTERVAL_S } from './prometheus-api.js';

export interface OperatorFlags extends Partial<PrometheusFlags> {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly image?: string;
  readonly leastCpuCores?: number;
  readonly leaderElection: boolean;
  readonly leaseName: string;
  readonly leaseNamespace?: string;
  readonly shards?: number;
  readonly shardBy?: ShardSet['by'];
  readonly routersThrough?: ClusterOptions['routersThrough'];
  readonly watchNodes?: boolean;
}

export const clusterOf = ({ kubeconfig, context, routersThrough }: OperatorFlags) => ({
  ...(kubeconfig !== undefined && { kubeconfig }),
  ...(context !== undefined && { context }),
  ...(routersThrough !== undefined && { routersThrough }),
});

export const scopeOf = ({ allNamespaces, namespace }: OperatorFlags, cluster: Cluster): string | undefined =>
  allNamespaces === true ? undefined : (namespace ?? cluster.namespace);

export const operatorDeps = ({ api, account }: Cluster) => ({
  api,
  /** An uninstalled operator leaves no lease. */
  ownerIn: (namespace: string): PodAccount['owner'] | undefined =>
    namespace === account?.namespace ? account.owner : undefined,
  clock: monotonicClock,
  nowEpochMs: Date.now,
  rng: new SeededRng(randomInt(2 ** 31)),
});

/** Planning threads of this process, for all its shards. */
export const plannerThreads = (): PlannerPool =>
  new PlannerPool({ threads: plannerThreadsFor(availableParallelism()) });

/** By default the threads are those of these plans alone, and routers are read as seldom as the policy allows. */
export interface PlansOptions {
  readonly threads?: PlannerPool | undefined;
  readonly readsEverySecond?: boolean;
}

/**
 * Plans all pipelines in shared threads, with load from the routers, or from Prometheus for engines that walk the graph.
 * Close the result at the end.
 */
export async function plansFor(
  cluster: Cluster,
  flags: OperatorFlags,
  report: (key: string, decision: Decision, observation: Observation) => void,
  { threads = plannerThreads(), readsEverySecond = false }: PlansOptions = {},
): Promise<FollowedPlans> {
  const metrics = await metricsOf(flags);
  return new FollowedPlans({
    ...operatorDeps(cluster),
    ...cluster.routers,
    readsEverySecond,
    ...metrics,
    report,
    plannerFor: (spec) => new ThreadPlanner(spec, threads),
  });
}

async function metricsOf({ prometheus, scrapeIntervalS, ...flags }: OperatorFlags) {
  if (prometheus === undefined) return {};
  const api = await prometheusApi({ prometheus, ...flags });
  const scrapeIntervalMs = 1000 * (scrapeIntervalS ?? USUAL_SCRAPE_INTERVAL_S);
  return {
    engineMetrics: new PrometheusEngineMetrics(api, { scrapeIntervalMs, nowMs: monotonicClock.nowMs }),
    networkTimes: new MeshNetworkTimes(api, { scrapeIntervalMs }),
  };
}

/** Adds a remedy to the error of a cluster without the custom resource; other errors stay unchanged. */
export function withRemedy(error: unknown): unknown {
  const isUndefined = error instanceof AppError && error.details['resource'] === 'inferencepipelines';
  if (!isUndefined) return error;
  const { code, message, details, retryable } = error;
  const advice =
    '`kubectl apply --server-side -k deploy/kubernetes-definition` defines them (docs/guide/kubernetes.md)';
  return new AppError(code, `${message}; ${advice}`, { details, retryable, cause: error });
}

export function logFailure(what: string, cause: unknown): void {
  const error = withRemedy(cause);
  logLine('error', 'failed and is tried again', {
    what,
    error: error instanceof Error ? error.message : String(error),
  });
}

export function reconcileOptions(
  {
    image = `equipoise:${VERSION}`,
    leastCpuCores = usualCpuPolicy.leastCpuCores,
    watchNodes,
  }: Pick<OperatorFlags, 'image' | 'leastCpuCores' | 'watchNodes'>,
  scope: string | undefined,
) {
  return {
    cpuPolicy: { ...usualCpuPolicy, leastCpuCores },
    imagesOf: (pipeline: InferencePipeline) => pipelineImages(pipeline, image),
    watchesNodes: watchNodes,
    ...(scope !== undefined && { namespace: scope }),
  };
}

export const shardSetOf = ({ shards = 1, shardBy = 'pipeline' }: OperatorFlags): ShardSet => ({
  count: shards,
  by: shardBy,
});

export const candidacyOf = ({ leaseNamespace, leaseName }: OperatorFlags, { namespace }: Cluster) => ({
  namespace: leaseNamespace ?? namespace,
  name: leaseName,
  identity: `${hostname()}_${randomUUID()}`,
});

const SEED = 1;
const EVERYWHERE = Number.POSITIVE_INFINITY;

/** Planner of one pipeline in shared threads, with profiles from its spec. Replicas are not bound to one host. */
export class ThreadPlanner implements PipelinePlanner {
  readonly #threads: PlannerPool;
  #spec: PipelineSpec;
  readonly #policy: PolicyName;
  #planner: Planner;

  constructor(spec: PipelineSpec, threads: PlannerPool, policy: PolicyName = 'equipoise') {
    this.#threads = threads;
    this.#policy = policy;
    this.#spec = spec;
    this.#planner = plannerOf(spec, threads, policy);
  }

  plan(arrivalRps: number): Promise<PlanResult> {
    return this.#planner.ask({ kind: 'plan', policy: this.#policy, arrivalRps, verify: true });
  }

  async tick(observation: Observation, executes: boolean): Promise<PlannerAnswer> {
    const planner = this.#planner;
    const tick = { kind: 'tick', observation, executes, changedByHand: false, asksQuiet: true } as const;
    const { decision, kept, quiet } = await planner.ask(tick);
    if (kept !== undefined) planner.remember(kept);
    return { decision, quiet };
  }

  show(observation: Observation): void {
    this.#planner.show(observation);
  }

  /** Keeps learned state if only reloadable parts changed. */
  async reload(spec: PipelineSpec): Promise<void> {
    const before = this.#spec;
    this.#spec = spec;
    if (needsRestart(before, spec).length === 0) return this.#planner.reload({ spec, hostCores: EVERYWHERE });
    const old = this.#planner;
    this.#planner = plannerOf(spec, this.#threads, this.#policy);
    await old.close();
  }

  close(): Promise<void> {
    return this.#planner.close();
  }
}

const plannerOf = (spec: PipelineSpec, threads: PlannerPool, policy: PolicyName): Planner =>
  new Planner({ spec, profiles: [], hostCores: EVERYWHERE, seed: SEED, policy, wideBuckets: true }, threads);

/** Images of flags. The last flag of a scope (everything, a stage or a variant) wins. */
export function imagesOf(flags: readonly ImageFlag[], usual: string): Images {
  const pipeline = flags.findLast(({ of }) => of === undefined)?.image ?? usual;
  const own = flags.flatMap(({ of, image }) => (of === undefined ? [] : [[of, image] as const]));
  return { pipeline, byVariant: Object.fromEntries(own) };
}

/** Throws WRONG_USAGE for an invalid annotation. */
function pipelineImages(pipeline: Parameters<typeof imagesNamedBy>[0], usual: string): Images {
  try {
    const flags = imagesNamedBy(pipeline).reduce<readonly ImageFlag[]>((before, text) => images(text, before), []);
    return imagesOf(flags, usual);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new AppError('WRONG_USAGE', `The annotation equipoise.dev/images cannot be read. ${error.message}`);
  }
}
