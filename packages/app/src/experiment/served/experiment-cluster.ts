/**
 * Cells on a cluster. For each cell, the experiment creates the pipeline and is its operator, with the policy of the
 * cell; afterwards it deletes the pipeline (docs/decisions/0029-an-experiment-is-the-operator.md).
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  annotationsOf,
  askRouter,
  childTypes,
  deployedPods,
  FollowedPlans,
  type InferencePipeline,
  type KubeObject,
  Operator,
  pipelineObject,
  pipelines,
} from '@equipoise/adapter-kubernetes';
import { controlPolicies } from '@equipoise/core/control';
import { smoothedRate } from '@equipoise/core/forecast';
import { AppError, invariant } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import { PlannerPool } from '@equipoise/runtime';
import type { Cluster } from '../../compose/cluster.js';
import { operatorDeps, reconcileOptions, ThreadPlanner, withRemedy } from '../../compose/operator-deps.js';
import { sampleBodies } from '../../compose/sample-bodies.js';
import { firstSeconds } from '../../compose/simulated-run.js';
import type { CellOutcome, CellPipeline, ExperimentCell } from '../experiment-cell.js';
import { beginPolicy } from './begun-policy.js';
import { PlanTimeline } from './plan-timeline.js';
import { runningPods } from './running-pods.js';
import { type ServedCell, serveLoad } from './serve-load.js';

export interface ExperimentClusterOptions {
  readonly image?: string | undefined;
  /** Address of the router; default: the cluster address of its Service. */
  readonly routerUrl?: string | undefined;
}

const READY_MS = 600_000;
const GONE_MS = 300_000;
const LOOK_EVERY_MS = 1000;
const PORT = 8080;
const MANAGER = { fieldManager: 'equipoise-experiment' };

const epochNowMs = (): number => performance.timeOrigin + performance.now();

export class ExperimentCluster {
  readonly #cluster: Cluster;
  readonly #options: ExperimentClusterOptions;

  constructor(cluster: Cluster, options: ExperimentClusterOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /**
   * Rejects with INTERRUPTED after a stop, CONFLICT if the pipeline exists, and DEADLINE_PASSED if it does not become
   * ready. The pipeline is deleted in any case.
   */
  async serve(cell: ExperimentCell, pipeline: CellPipeline, stop: AbortSignal): Promise<CellOutcome> {
    const policy = await beginPolicy(cell, pipeline);
    const policyName = policy.adaptsBy as PolicyName;
    const operating = new AbortController();
    let decisions = 0;
    const base = operatorDeps(this.#cluster);
    const threads = new PlannerPool();
    const plans = new FollowedPlans({
      ...base,
      ask: askRouter,
      report: () => {
        decisions += 1;
      },
      policy: controlPolicies[policyName],
      plannerFor: (spec) => new ThreadPlanner(spec, threads, policyName),
    });
    const { name } = pipeline.spec;
    const { image } = this.#options;
    await this.#create(cell, pipeline);
    const failures: unknown[] = [];
    const running = new Operator({
      ...base,
      // The plans are those of the simulator, which knows no floor.
      ...reconcileOptions({ ...(image !== undefined && { image }), leastCpuCores: 0 }, this.#cluster.namespace),
      source: plans,
      owns: (key) => key === `${this.#cluster.namespace}/${name}`,
      onFailure: (_, error) => failures.push(error),
    }).run(operating.signal);
    try {
      await this.#untilReady(name, stop, failures);
      return await this.#load({ cell, pipeline, stop }, { policy, decisions: () => decisions });
    } finally {
      await this.#remove(name).finally(() => operating.abort());
      await running;
      await plans.close();
    }
  }

  async #load(
    { cell, pipeline, stop }: ServedCell,
    {
      policy,
      decisions,
    }: { readonly policy: Awaited<ReturnType<typeof beginPolicy>>; readonly decisions: () => number },
  ): Promise<CellOutcome> {
    const { spec } = pipeline;
    const { api, namespace } = this.#cluster;
    const timeline = new PlanTimeline(spec);
    const look = async () =>
      timeline.note(runningPods(spec, await deployedPods(api, spec.name, namespace)), epochNowMs());
    await look();
    const looking = new AbortController();
    const loop = (async () => {
      while (!looking.signal.aborted) {
        await sleep(LOOK_EVERY_MS);
        // A missed look leaves the last state in force.
        await look().catch(() => {});
      }
    })();
    const before = decisions();
    try {
      return await serveLoad({
        ...{ cell, pipeline, stop, policy, timeline },
        url: `${await this.#routerUrl(spec.name)}/v1/pipelines/${spec.name}/run`,
        bodies: sampleBodies(spec),
        decisions: () => decisions() - before,
      });
    } finally {
      looking.abort();
      await loop;
    }
  }

  async #create(cell: ExperimentCell, { spec, profiles, file }: CellPipeline): Promise<void> {
    const { image } = this.#options;
    const { upperRps } = smoothedRate({ arrivalsPerSecond: firstSeconds(cell.loadSpec, cell.seed) });
    const { namespace } = this.#cluster;
    const annotations = annotationsOf(upperRps, image === undefined ? [] : [image]);
    const made = pipelineObject(await readFile(file, 'utf8'), { spec, profiles }, { annotations, namespace });
    const object = made.object as InferencePipeline & { readonly spec: { readonly control?: object } };
    const adapting = { ...object, spec: { ...object.spec, control: { ...object.spec.control, mode: 'auto' } } };
    const result = await this.#cluster.api.create(pipelines, adapting as never, MANAGER).catch((error: unknown) => {
      throw withRemedy(error);
    });
    if (result.kind === 'written') return;
    const remedy = `Delete the pipeline ${spec.name} or choose another --namespace.`;
    throw new AppError('CONFLICT', `The pipeline was not created: ${result.message}. ${remedy}`);
  }

  async #untilReady(name: string, stop: AbortSignal, failures: readonly unknown[]): Promise<void> {
    const { api, namespace } = this.#cluster;
    const untilMs = performance.now() + READY_MS;
    let last = 'no condition yet';
    while (performance.now() < untilMs) {
      if (stop.aborted) throw new AppError('INTERRUPTED', 'Stopped while the pipeline started.');
      const found = await api.get({ type: pipelines, namespace, name });
      const ready = found?.status?.conditions?.find(({ type }) => type === 'Ready');
      if (ready?.status === 'True') return;
      last = ready === undefined ? last : `${ready.reason}, ${ready.message}`;
      await sleep(LOOK_EVERY_MS);
    }
    const failure = failures.at(-1);
    const also =
      failure === undefined ? '' : ` The last failure: ${failure instanceof Error ? failure.message : failure}.`;
    const message = `The pipeline ${name} is not ready after ${READY_MS / 1000} s: ${last}.${also} Check image and room on the nodes.`;
    throw new AppError('DEADLINE_PASSED', message);
  }

  async #routerUrl(name: string): Promise<string> {
    const { routerUrl } = this.#options;
    if (routerUrl !== undefined) return routerUrl.replace(/\/$/, '');
    const { api, namespace } = this.#cluster;
    const { Service: type } = childTypes;
    invariant(type !== undefined, 'a pipeline has a Service');
    const service = (await api.get({ type, namespace, name })) as
      | (KubeObject & { readonly spec?: { readonly clusterIP?: string } })
      | undefined;
    const address = service?.spec?.clusterIP;
    if (address === undefined) throw new AppError('NOT_FOUND', `The pipeline ${name} has no Service.`);
    return `http://${address.includes(':') ? `[${address}]` : address}:${PORT}`;
  }

  /** Deletes the pipeline and waits until its pods are gone, so that the next cell has the room. */
  async #remove(name: string): Promise<void> {
    const { api, namespace } = this.#cluster;
    await api.delete({ type: pipelines, namespace, name });
    const untilMs = performance.now() + GONE_MS;
    while (performance.now() < untilMs) {
      const left = await api.get({ type: pipelines, namespace, name });
      if (left === undefined && (await deployedPods(api, name, namespace)).length === 0) return;
      await sleep(LOOK_EVERY_MS);
    }
  }
}
