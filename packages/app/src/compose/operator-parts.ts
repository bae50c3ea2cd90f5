/** What an operator is made of, for one that stays and for one that ends when nothing is left to do. */
import { randomInt, randomUUID } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { askRouter, FollowedPlans, type InferencePipeline } from '@equipoise/adapter-kubernetes';
import { AppError, type Decision, SeededRng } from '@equipoise/core/model';
import { monotonicClock, PlanningThreads, planningThreadsFor } from '@equipoise/runtime';
import { VERSION } from '../version.js';
import type { Cluster } from './cluster.js';
import { pipelineImages } from './pipeline-images.js';
import { ThreadPlanner } from './thread-planner.js';

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
