/**
 * Replicas that do to tensors what the simulator does to keys. An item is a tensor `key`, a fan-out a tensor of its
 * items' keys, a branch a tensor `way…` for its condition. Service times and faults come from the same stream and
 * schedule as in the simulator.
 */

import type { ServingGraph } from '@equipoise/core/graph';
import {
  type AlarmClock,
  AppError,
  type Rng,
  type RunningPlan,
  type RunningReplica,
  type StageId,
  type Tensor,
  type TensorMap,
} from '@equipoise/core/model';
import { drawMs } from '@equipoise/core/plan';
import type { BatchResult, LaunchedReplica, LaunchRequest, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { failsBatches, hangs, type ItemChances, slowness } from '@equipoise/core/simulate';
import type { ReplicaFault, Scenario } from './scenario.test-support.js';
import type { TraceWriter } from './trace.test-support.js';

/** Shared state of the replicas. */
export interface KeyedDeps {
  readonly scenario: Scenario;
  readonly stages: ServingGraph['stages'];
  readonly chances: ItemChances;
  readonly serviceRng: Rng;
  readonly trace: TraceWriter;
  /** Clocks for answers and for starts, each with its event rank. */
  readonly answers: AlarmClock;
  readonly starts: AlarmClock;
  /** Called when a replica starts, which is then the newest starting replica of the plan. */
  readonly runningPlan: () => RunningPlan;
  /** False until the first plan runs. Before that, starts are instant and do not fail. */
  readonly hasBegun: () => boolean;
}

export function tensorsOfKey(key: number): TensorMap {
  return { key: int32([1], [key]) };
}

export class KeyedLauncher implements ReplicaLauncher {
  readonly #around: KeyedDeps;

  constructor(around: KeyedDeps) {
    this.#around = around;
  }

  async launch({ stage, variant }: LaunchRequest): Promise<LaunchedReplica> {
    const { starts, hasBegun, runningPlan, scenario } = this.#around;
    const replica = runningPlan().stages[stage.id]?.replicas.findLast(({ status }) => status === 'starting');
    if (replica === undefined) throw new Error('nothing is starting');
    if (!hasBegun()) return { runner: new KeyedRunner(stage.id, replica, this.#around), loadMs: 0 };
    const afterMs = scenario.loadMs(stage.id, variant.id);
    await new Promise<void>((resolve) => starts.ringAt(starts.nowMs() + afterMs, resolve));
    if (scenario.faults?.startFails(stage.id, replica) === true)
      throw new AppError('MODEL_LOAD_FAILED', 'it does not start');
    return { runner: new KeyedRunner(stage.id, replica, this.#around), loadMs: afterMs };
  }
}

class KeyedRunner implements ModelRunner {
  readonly #stage: ServingGraph['stages'][number];
  readonly #replica: RunningReplica;
  readonly #around: KeyedDeps;
  #faults: readonly ReplicaFault[] = [];
  #lost = false;
  #closed = false;
  #fail: ((error: AppError) => void) | undefined;

  constructor(stageId: StageId, replica: RunningReplica, around: KeyedDeps) {
    const stage = around.stages.find(({ id }) => id === stageId);
    if (stage === undefined) throw new Error(`no stage ${stageId}`);
    this.#stage = stage;
    this.#replica = replica;
    this.#around = around;
    this.#faults = around.scenario.faults?.faultsOf(stageId, replica, around.answers.nowMs()) ?? [];
  }

  run(batch: readonly TensorMap[]): Promise<BatchResult> {
    const { answers, trace, scenario, serviceRng } = this.#around;
    const { replicaId, variantId, resources } = this.#replica;
    const nowMs = answers.nowMs();
    const curve = scenario.curves.curve(this.#stage.id, variantId, resources.cpuCores);
    if (curve === undefined) throw new Error('no curve');
    const serviceMs = drawMs(curve.law(batch.length), serviceRng) * slowness(this.#faults, nowMs);
    const keys = batch.map(keyOf);
    trace.batch(nowMs, replicaId, serviceMs, keys);
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      answers.ringAt(nowMs + serviceMs, () => {
        if (this.#lost || hangs(this.#faults, answers.nowMs())) return;
        if (keys.some((key) => scenario.faults?.hangsOn?.(this.#stage.id, key))) return;
        this.#fail = undefined;
        if (failsBatches(this.#faults, answers.nowMs())) {
          const error = new AppError('STAGE_FAILED', 'it fails');
          resolve({ items: keys.map(() => ({ kind: 'failed', error })), serviceMs });
          return;
        }
        resolve({ items: keys.map((key) => ({ kind: 'ok', output: this.#output(key) })), serviceMs });
      });
    });
  }

  /** The crash is scheduled when a replica enters service, as in the simulator. */
  onLost(listener: (error: AppError) => void): void {
    const { answers, scenario } = this.#around;
    const lastArrivalMs = scenario.arrivals.at(-1) ?? 0;
    for (const fault of this.#faults) {
      if (fault.kind !== 'crash') continue;
      answers.ringAt(fault.atMs, () => {
        if (this.#closed || this.#lost || answers.nowMs() > lastArrivalMs) return;
        this.#lost = true;
        const lost = new AppError('REPLICA_LOST', 'it crashed', { retryable: true });
        if (this.#fail === undefined) listener(lost);
        else this.#fail(lost);
      });
    }
  }

  abandon(): void {
    this.#lost = true;
    this.#fail?.(new AppError('REPLICA_LOST', 'it was given up'));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #output(input: number): TensorMap {
    const { chances } = this.#around;
    const { index, outEdges } = this.#stage;
    const key = chances.output(index, input);
    const fanOut = outEdges.find(({ kind }) => kind === 'fan-out');
    const keys = fanOut === undefined ? [key] : [...chances.fanOut(fanOut, key, undefined, this.#replica.variantId)];
    const tensors: Record<string, Tensor> = { key: int32([keys.length], keys) };
    for (const edge of outEdges) {
      if (edge.condition === undefined) continue;
      const isTaken = chances.takes(edge, key, undefined, this.#replica.variantId);
      const width = isTaken ? 1 : 2;
      tensors[`way${edge.index}`] =
        edge === fanOut
          ? int32([keys.length, width], new Array(keys.length * width).fill(0))
          : int32([1], [isTaken ? 1 : 0]);
    }
    return tensors;
  }
}

/** Key of an item: sum of the joined or merged keys. */
function keyOf(tensors: TensorMap): number {
  let sum = 0;
  for (const [name, { data }] of Object.entries(tensors)) {
    if (name !== 'key' && !name.endsWith('.key')) continue;
    for (const value of data as Int32Array) sum = (sum + value) | 0;
  }
  return sum;
}

function int32(shape: readonly number[], values: readonly number[]): Tensor {
  return { datatype: 'INT32', shape, data: Int32Array.from(values) };
}
