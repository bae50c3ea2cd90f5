/** Serves one fixed plan on loopback and records requests, batches and branches. */
import {
  type EdgeCount,
  type PipelineSpec,
  type Plan,
  type ProfileSet,
  replicaId,
  type StagePlan,
  type StageSpec,
  type VariantSpec,
} from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import { batchPolicies } from '@equipoise/core/simulate';
import { PipelineRunner, type RequestEnd, type RunningServer, startServer } from '@equipoise/runtime';
import { warmUpPipeline } from '../compose/watched-replicas.js';
import { VERSION } from '../version.js';
import { BatchTimes, type ServedBatch, type ServedTurn } from './batch-times.js';

/** Everything served since the last record, on the server's clock. */
export interface ServedRecord {
  readonly ends: readonly RequestEnd[];
  readonly batches: readonly ServedBatch[];
  readonly turns: readonly ServedTurn[];
  readonly fanOuts: Readonly<Record<string, readonly number[]>>;
  readonly edges: readonly EdgeCount[];
}

export interface ServedPlanInput {
  /** The pipeline as served. */
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  /** Profiles of the policies. */
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly launcher: ReplicaLauncher;
}

export class ServedPlan {
  readonly url: string;
  readonly #runner: PipelineRunner;
  readonly #times: BatchTimes;
  readonly #closing: readonly (() => Promise<void>)[];
  #ends: RequestEnd[] = [];

  private constructor(
    server: RunningServer,
    served: {
      readonly runner: PipelineRunner;
      readonly times: BatchTimes;
      readonly closing: readonly (() => Promise<void>)[];
    },
  ) {
    this.url = `${server.url}/v1/pipelines/${served.runner.spec.name}/run`;
    this.#runner = served.runner;
    this.#times = served.times;
    this.#closing = served.closing;
    this.#runner.onRequestEnd((end) => this.#ends.push(end));
  }

  /** Resolves when the replicas are warm. */
  static async start(input: ServedPlanInput): Promise<ServedPlan> {
    const { spec, plan, profiles, hostCores } = input;
    const times = new BatchTimes();
    const runner = new PipelineRunner({ spec, hostCores, clock: times.clock });
    const closing: (() => Promise<void>)[] = [];
    try {
      const policies = batchPolicies(spec, plan, requireCurves(spec, profiles));
      for (const [index, stage] of spec.stages.entries()) {
        for (const part of plan.stages[stage.id] ?? [])
          await addReplicas(input, { stage, part, runner, times, closing });
        const policy = policies[index];
        // Nothing replaces a replica here, so a stall of the machine must not end one.
        if (policy !== undefined) runner.setPolicy(stage.id, { ...policy, hungAfterMs: [], hungAtMostMs: [] });
      }
      await warmUpPipeline(runner, spec);
      const server = await startServer({ runners: [runner], version: VERSION, host: '127.0.0.1', port: 0 });
      closing.unshift(() => server.close());
      times.take();
      runner.takeEdgeCounts();
      return new ServedPlan(server, { runner, times, closing });
    } catch (error) {
      for (const close of closing) await close();
      throw error;
    }
  }

  take(): ServedRecord {
    const taken = { ends: this.#ends, ...this.#times.take(), edges: this.#runner.takeEdgeCounts() };
    this.#ends = [];
    return taken;
  }

  get inFlight(): number {
    return this.#runner.inFlight;
  }

  async close(): Promise<void> {
    const [closeServer, ...closeReplicas] = this.#closing;
    await closeServer?.();
    this.#runner.beginDraining();
    await this.#runner.drained;
    for (const close of closeReplicas) await close();
  }
}

interface Added {
  readonly stage: StageSpec;
  readonly part: StagePlan;
  readonly runner: PipelineRunner;
  readonly times: BatchTimes;
  readonly closing: (() => Promise<void>)[];
}

async function addReplicas({ spec, launcher }: ServedPlanInput, added: Added): Promise<void> {
  const { stage, part, runner, times, closing } = added;
  const { variantId, resources } = part;
  const variant = stage.variants.find(({ id }) => id === variantId) as VariantSpec;
  const fansOut = spec.edges.some(({ from, fanOut }) => from === stage.id && fanOut !== undefined);
  for (let number = 1; number <= part.replicas; number++) {
    const launched = await launcher.launch({ stage, variant, resources, baseDir: spec.baseDir });
    closing.push(() => launched.runner.close());
    const of = { stageId: stage.id, variantId, cpuCores: resources.cpuCores, fansOut };
    runner.addReplica(stage.id, {
      replicaId: replicaId(`${stage.id}-${variantId}-${number}`),
      variantId,
      resources,
      runner: times.timed(launched.runner, of),
    });
  }
}
