/** Drives a scheduler by hand. Payloads are strings that record their path, and a log records the effects. */
import { replicaId, stageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { hangBoundMs } from './health/replica-health.js';
import { PipelineScheduler } from './pipeline-scheduler.js';
import type { ServingReplica } from './replica.js';
import type { RequestState, StageItem } from './request-state.js';
import type { SchedulerLimits, ServingEffects } from './serving-effects.js';
import { type ServingEdge, servingGraph } from './serving-graph.js';

export type Replica = ServingReplica<string, string>;

export const points = [{ cpuCores: 1, batchSize: 1, meanMs: 1 }];

export const one = chainSpec({ a: points });

export const edge = (from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...more,
});

const hangBoundOf = (ms: number): number => hangBoundMs({ meanMs: ms, tailMs: ms, sloMs: 1000 });

export class Bench implements ServingEffects<string, string, string> {
  readonly log: string[] = [];
  readonly running: Replica[] = [];
  readonly wakes: number[] = [];
  readonly late: (readonly [string, boolean])[] = [];
  readonly scheduler: PipelineScheduler<string, string, string>;
  fanOutCount = 2;
  taken = new Set<number>();

  constructor(spec: PipelineSpec, limits: Partial<SchedulerLimits> = {}) {
    const bounds = { hostCores: Number.POSITIVE_INFINITY, maxQueueLength: 100, dropLate: true, ...limits };
    this.scheduler = new PipelineScheduler(servingGraph(spec), bounds, this, this);
  }

  serve(
    stage: number,
    options: {
      cpuCores?: number;
      maxBatchSize?: number;
      maxBatchWaitMs?: number;
      serviceMs?: number;
      /** Default: the limit for `serviceMs`. */
      hungAfterMs?: number;
      remainingMs?: number;
      nowMs?: number;
    } = {},
  ): Replica {
    const { maxBatchSize = 1, maxBatchWaitMs = 0, serviceMs, hungAfterMs, remainingMs = 0, nowMs = 0 } = options;
    const expectedServiceMs = serviceMs === undefined ? undefined : new Array<number>(maxBatchSize + 1).fill(serviceMs);
    this.scheduler.setPolicy(
      stage,
      {
        ...{ maxBatchSize, maxBatchWaitMs, remainingMs },
        ...(expectedServiceMs && {
          expectedServiceMs,
          hungAfterMs: expectedServiceMs.map((ms) => hungAfterMs ?? hangBoundOf(ms)),
        }),
      },
      nowMs,
    );
    const description = { replicaId: replicaId(`r${stage}`), cpuCores: options.cpuCores ?? 1 };
    return this.scheduler.addReplica(stage, description, nowMs);
  }

  arrive(
    name: string,
    arrivedAtMs: number,
    deadlineAtMs = arrivedAtMs + 1000,
    level = 0,
  ): RequestState<string, string> {
    return this.scheduler.arrive({ context: name, arrivedAtMs, deadlineAtMs, level }, name);
  }

  finish(replica: Replica, nowMs: number, cpuMs?: number): void {
    this.scheduler.batchDone(
      replica,
      replica.batch.map((item) => `${item.payload}>${replica.stage}`),
      nowMs,
      cpuMs,
    );
  }

  startBatch(replica: Replica, nowMs: number): void {
    this.running.push(replica);
    this.log.push(`${nowMs} run ${replica.stage} [${replica.batch.map((item) => item.payload).join(' ')}]`);
  }
  complete(request: RequestState<string, string>, nowMs: number): void {
    this.log.push(`${nowMs} done ${request.outputs.join(' ')}`);
  }
  drop(request: RequestState<string, string>, reason: DropReason, nowMs: number): void {
    this.log.push(`${nowMs} drop ${request.context} ${reason}`);
  }
  fail(request: RequestState<string, string>, failure: string, nowMs: number): void {
    this.log.push(`${nowMs} fail ${request.context} ${failure}`);
  }
  wakeAt(atMs: number): void {
    this.wakes.push(atMs);
  }
  unhealthy(replica: Replica, trouble: string, nowMs: number): void {
    this.log.push(`${nowMs} unfit ${replica.replicaId} ${trouble}`);
  }
  runsLate(replica: Replica, isLate: boolean): void {
    this.late.push([replica.replicaId, isLate]);
  }
  hungFailure(stage: number): string {
    return `stage ${stage} hangs`;
  }
  quarantineFailure(stage: number): string {
    return `stage ${stage} refuses it`;
  }
  inputKey({ payload }: StageItem<string, string>): string {
    return payload;
  }
  inputQuarantined(stage: number, key: string): void {
    this.log.push(`quarantined ${key} at ${stage}`);
  }
  drained(replica: Replica): void {
    this.log.push(`drained ${replica.replicaId}`);
  }
  takes({ index }: { readonly index: number }): boolean {
    return this.taken.has(index);
  }
  tooManyItems({ index }: ServingEdge, items: number, most: number): string {
    return `edge ${index} gives ${items} items of at most ${most}`;
  }
  items(): number {
    return this.fanOutCount;
  }
  fanOut(_edge: unknown, output: string): readonly string[] {
    return Array.from({ length: this.fanOutCount }, (_, i) => `${output}#${i}`);
  }
  join(_edge: unknown, parts: readonly string[]): string {
    return `(${parts.join('+')})`;
  }
  merge(_stage: number, parts: readonly string[]): string {
    return `{${parts.join('&')}}`;
  }
  part(source: number, inputs: string): string {
    return `${inputs}.${source}`;
  }
  select(_edge: unknown, output: string): string {
    return output;
  }

  share(payload: string): string {
    return payload;
  }
}
