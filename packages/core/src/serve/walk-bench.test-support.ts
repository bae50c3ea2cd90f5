/** Walks requests through a graph under a small event loop. Payloads are strings that record their path. */
import { replicaId, stageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { PipelineScheduler } from './pipeline-scheduler.js';
import type { ServingReplica } from './replica.js';
import type { RequestState } from './request-state.js';
import type { ServingEffects } from './serving-effects.js';
import { type ServingEdge, servingGraph } from './serving-graph.js';

/** Spec of stages and edges. Requests enter stages without in-edges. Stages without out-edges answer. */
export function graphSpec(edges: readonly EdgeSpec[], more: Partial<PipelineSpec> = {}): PipelineSpec {
  const names = [...new Set(edges.flatMap(({ from, to }) => [from, to]))].sort();
  const spec = chainSpec(Object.fromEntries(names.map((name) => [name, []])));
  const entries = names.filter((name) => !edges.some(({ to }) => to === name));
  const ends = names.filter((name) => !edges.some(({ from }) => from === name));
  return {
    ...spec,
    sources: [{ name: 'in', to: entries, tensors: [] }],
    edges,
    outputs: ends.map((from) => ({ from })),
    ...more,
  };
}

/** Edge between two stages, written `a>b`. */
export function way(ends: string, more: Partial<EdgeSpec> = {}): EdgeSpec {
  const [from = '', to = ''] = ends.split('>');
  return { from: stageId(from), to: stageId(to), ...more };
}

/** Branch `a>b`. The condition is named after the edge. */
export function when(ends: string, more: Partial<EdgeSpec> = {}): EdgeSpec {
  return way(ends, { when: { condition: ends, probability: 0.3 }, ...more });
}

/** Script of a walk: branches, fan-outs, service times, failures and replicas of stages; sources that send nothing. */
export interface WalkScript {
  readonly lacks?: readonly number[];
  readonly takes?: (edge: string, output: string) => boolean;
  readonly items?: (output: string) => number;
  readonly serviceMs?: Readonly<Record<string, number>>;
  readonly fails?: (input: string, stage: string) => boolean;
  readonly replicas?: Readonly<Record<string, number>>;
  readonly maxQueueLength?: number;
  /** Stages that the plan omits. */
  readonly omits?: readonly string[];
  /** Expected service time (ms) for early drops. Without it, deadlines drop nothing. */
  readonly expectedMs?: Readonly<Record<string, number>>;
}

type Request = RequestState<string, number>;
type Replica = ServingReplica<string, number>;

/** Result of a walk. `ends`: end of each request, in order. `runs`: each run as `stage(input)`, in order of start. */
export interface WalkResult {
  readonly ends: readonly string[];
  readonly runs: readonly string[];
  readonly endsPerRequest: readonly number[];
  readonly scheduler: PipelineScheduler<string, number, string>;
}

/** Lets requests `x`, `y`, … arrive `gapMs` apart, and runs to the end. */
export function walkThrough(spec: PipelineSpec, script: WalkScript = {}, requests = 1, gapMs = 1): WalkResult {
  return new WalkBench(spec, script).run(requests, gapMs);
}

class WalkBench implements ServingEffects<string, number, string> {
  readonly #spec: PipelineSpec;
  readonly #script: WalkScript;
  readonly #scheduler: PipelineScheduler<string, number, string>;
  readonly #due: { readonly atMs: number; readonly act: (atMs: number) => void }[] = [];
  readonly #ends: string[] = [];
  readonly #counts: number[] = [];
  readonly #runs: string[] = [];

  constructor(spec: PipelineSpec, script: WalkScript) {
    this.#spec = spec;
    this.#script = script;
    const { maxQueueLength = Number.POSITIVE_INFINITY, expectedMs } = script;
    const limits = { hostCores: Number.POSITIVE_INFINITY, maxQueueLength, dropLate: expectedMs !== undefined };
    const graph = servingGraph(spec);
    this.#scheduler = new PipelineScheduler(graph, limits, this, this);
    for (const { id, index } of graph.stages) {
      const serviceMs = expectedMs?.[id] ?? 0;
      const isOmitted = script.omits?.includes(id) ?? false;
      const policy = {
        maxBatchSize: 1,
        maxBatchWaitMs: 0,
        remainingMs: 0,
        expectedServiceMs: [0, serviceMs],
        isOmitted,
      };
      this.#scheduler.setPolicy(index, policy, 0);
      for (let i = 0; i < (script.replicas?.[id] ?? 1); i++)
        this.#scheduler.addReplica(index, { replicaId: replicaId(`${id}${i}`), cpuCores: 1 }, 0);
    }
  }

  run(requests: number, gapMs: number): WalkResult {
    for (let i = 0; i < requests; i++) {
      const name = String.fromCharCode('x'.charCodeAt(0) + i);
      this.#counts.push(0);
      this.#at(i * gapMs, (arrivedAtMs) => {
        const deadlineAtMs = arrivedAtMs + this.#spec.slo.latencyMs;
        this.#scheduler.arrive({ context: i, arrivedAtMs, deadlineAtMs }, name);
      });
    }
    for (let next = this.#due.shift(); next !== undefined; next = this.#due.shift()) next.act(next.atMs);
    return { ends: this.#ends, runs: this.#runs, endsPerRequest: this.#counts, scheduler: this.#scheduler };
  }

  startBatch(replica: Replica, nowMs: number): void {
    const stage = this.#spec.stages[replica.stage]?.id ?? '';
    const [item] = replica.batch;
    if (item === undefined) throw new Error('an empty batch');
    this.#runs.push(`${stage}(${item.payload})`);
    this.#at(nowMs + (this.#script.serviceMs?.[stage] ?? 1), (doneAtMs) => {
      if (this.#script.fails?.(item.payload, stage)) this.#scheduler.failItem(item, `${stage} failed`, doneAtMs);
      this.#scheduler.batchDone(replica, [`${item.payload}${stage}`], doneAtMs);
    });
  }

  complete(request: Request, nowMs: number): void {
    const outputs = this.#spec.outputs.map((_, slot) => request.outputs[slot] ?? '-');
    const missing = request.missing?.map(
      ({ edge, items }) =>
        `${edge < 0 ? this.#spec.sources[-1 - edge]?.name : this.#spec.edges[edge]?.from}${items.map((item) => `[${item}]`).join('')}`,
    );
    this.#end(request, `${nowMs} ${outputs.join(' ')}${missing === undefined ? '' : ` without ${missing.join(' ')}`}`);
  }
  drop(request: Request, reason: DropReason, nowMs: number): void {
    this.#end(request, `${nowMs} ${reason}`);
  }
  fail(request: Request, failure: string, nowMs: number): void {
    this.#end(request, `${nowMs} ${failure}`);
  }
  wakeAt(atMs: number): void {
    this.#at(atMs, (nowMs) => this.#scheduler.advance(nowMs));
  }
  drained(): void {}
  unhealthy(): void {}
  runsLate(): void {}
  hungFailure(stage: number): string {
    return `stage ${stage} hangs`;
  }

  quarantineFailure(stage: number): string {
    return `stage ${stage} refuses it`;
  }
  inputKey({ payload }: { readonly payload: string }): string {
    return payload;
  }
  inputQuarantined(): void {}

  tooManyItems({ index }: ServingEdge, items: number, most: number): string {
    return `edge ${index} gives ${items} items of at most ${most}`;
  }

  part(source: number, inputs: string): string | undefined {
    return this.#script.lacks?.includes(source) ? undefined : `${inputs}.${source}`;
  }
  takes({ condition = '' }: ServingEdge, output: string): boolean {
    return this.#script.takes?.(condition, output) ?? false;
  }
  items(_edge: unknown, output: string): number {
    return this.#script.items?.(output) ?? 2;
  }
  fanOut(edge: unknown, output: string): readonly string[] {
    return Array.from({ length: this.items(edge, output) }, (_, i) => `${output}${i}`);
  }
  select({ inputs = [] }: ServingEdge, output: string, context: number): string {
    return `${output}<${inputs.map(({ name }) => name).join()} of ${context}>`;
  }
  join(_edge: unknown, parts: readonly string[]): string {
    return `[${parts.join(' ')}]`;
  }
  merge(_stage: number, parts: readonly (string | undefined)[]): string {
    return `{${Array.from(parts, (part) => part ?? '').join('|')}}`;
  }
  share(payload: string): string {
    return payload;
  }

  #end({ context }: Request, end: string): void {
    this.#ends[context] = end;
    this.#counts[context] = (this.#counts[context] ?? 0) + 1;
  }

  /** Schedules `act`, after earlier acts of the same instant. */
  #at(atMs: number, act: (atMs: number) => void): void {
    const later = this.#due.findIndex((event) => event.atMs > atMs);
    this.#due.splice(later < 0 ? this.#due.length : later, 0, { atMs, act });
  }
}
