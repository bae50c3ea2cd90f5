import { AppError, type PipelineSpec, type ReplicaId, stageId, type TensorMap } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PipelineRunner } from './pipeline-runner.js';
import type { RequestEnd } from './request-end.js';
import { edge, fp32, type ItemScript, ScriptedRunner, serve, servingSpec } from './serving-bench.test-support.js';

const lost = new AppError('REPLICA_LOST', 'gone');
const refused = new AppError('STAGE_FAILED', 'refused');

const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      items: fc.nat(3),
      timeoutMs: fc.integer({ min: 1, max: 80 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('client-batch' as const),
      items: fc.integer({ min: 1, max: 6 }),
      timeoutMs: fc.integer({ min: 1, max: 80 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('add' as const), stage: fc.nat(3), cores: fc.constantFrom(0.3, 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), which: fc.nat(20), busy: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      stage: fc.nat(3),
      size: fc.integer({ min: 1, max: 4 }),
      waitMs: fc.nat(5),
    }),
  },
);

type Event = typeof event extends fc.Arbitrary<infer Kind> ? Kind : never;

const stages = ['split', 'left', 'right', 'end'];
const when = (condition: string) => ({ when: { condition, probability: 0.5 } });
const admission = { maxQueueLength: 5 };
const graphs: Readonly<Record<string, PipelineSpec>> = {
  'a fan-out beside a plain way': servingSpec(stages, {
    edges: [
      edge('split', 'left', { fanOut: { expected: 2 } }),
      edge('split', 'right'),
      edge('left', 'end', { join: 'all' }),
      edge('right', 'end'),
    ],
    admission,
  }),
  'a hedge of which one side is a branch': servingSpec(stages, {
    edges: [
      edge('split', 'left', when('output.x[0] > 6.0')),
      edge('split', 'right'),
      edge('left', 'end', { join: 'any' }),
      edge('right', 'end', { join: 'any' }),
    ],
    outputs: [{ from: stageId('right') }, { from: stageId('end') }],
    admission,
  }),
  'filtered items, the first that comes back': servingSpec(stages, {
    edges: [
      edge('split', 'left', { fanOut: { expected: 2 } }),
      edge('left', 'right', when('output.x > 6.0')),
      edge('right', 'end', { join: 'any' }),
    ],
    admission,
  }),
};

/** Some items fail, and some outputs cannot be joined or split. Only the tensors decide which. */
const script: ItemScript = (item) => {
  const values = Object.values(item).map((tensor) => Number(tensor.data[0] ?? 0));
  if (values.includes(13)) return refused;
  return values.includes(7) ? { odd: fp32([]) } : item;
};

interface Replica {
  readonly stage: string;
  readonly id: ReplicaId;
  readonly runner: ScriptedRunner;
}

/** A runner with changing replicas and requests. */
class World {
  readonly clock = new ManualClock();
  readonly runner: PipelineRunner;
  readonly ends: RequestEnd[] = [];
  readonly outcomes: Promise<readonly string[]>[] = [];
  readonly drains: Promise<void>[] = [];
  readonly #aborts: AbortController[] = [];
  readonly #replicas: Replica[] = [];
  #values = 0;

  constructor(spec: PipelineSpec) {
    this.runner = new PipelineRunner({ spec, hostCores: 3, clock: this.clock });
    this.runner.onRequestEnd((end) => this.ends.push(end));
    for (const stage of stages) this.add(stage, 1);
  }

  add(stage: string, cores: number): void {
    const runner = new ScriptedRunner(script, () => this.clock.sleep(3));
    this.#replicas.push({ stage, id: serve(this.runner, stage, runner, cores), runner });
  }

  submit(items: number, timeoutMs: number): void {
    const outcome = this.runner.submit(this.#inputs(items), { timeoutMs, signal: this.#signal() });
    this.outcomes.push(outcome.then(({ kind }) => [kind]));
  }

  submitBatch(items: number, timeoutMs: number): void {
    const batch = Array.from({ length: items }, () => this.#inputs(2));
    const outcomes = this.runner.submitBatch(batch, { timeoutMs, signal: this.#signal() });
    this.outcomes.push(outcomes.then((all) => all.map(({ kind }) => kind)));
  }

  async take(next: Event): Promise<void> {
    switch (next.kind) {
      case 'submit':
        return this.submit(next.items, next.timeoutMs);
      case 'client-batch':
        return this.submitBatch(next.items, next.timeoutMs);
      case 'wait':
        return this.clock.advanceTo(this.clock.nowMs() + next.ms);
      case 'cancel':
        return this.#aborts[next.which]?.abort();
      case 'add':
        return this.add(stages[next.stage] as string, next.cores);
      case 'drain': {
        const { stage, id } = this.#replica(next.which);
        this.drains.push(this.runner.drainReplica(stageId(stage), id));
        return;
      }
      case 'lose':
        return this.#replica(next.which).runner.lose(lost, next.busy);
      case 'batch': {
        const batching = { maxBatchSize: next.size, maxBatchWaitMs: next.waitMs };
        return this.runner.setBatching(stageId(stages[next.stage] as string), batching);
      }
    }
  }

  #inputs(items: number): TensorMap {
    return { x: fp32([items], ...Array.from({ length: items }, () => this.#values++ % 17)) };
  }

  #signal(): AbortSignal {
    const abort = new AbortController();
    this.#aborts.push(abort);
    return abort.signal;
  }

  #replica(which: number): Replica {
    return this.#replicas[which % this.#replicas.length] as Replica;
  }
}

it.each(Object.entries(graphs))('%s: every request ends exactly once, whatever comes and goes', async (_, spec) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
      const world = new World(spec);
      for (const next of events) {
        await world.take(next);
        const { arrived, completed, failed, dropped } = world.runner.statistics.total;
        const droppedInAll = Object.values(dropped).reduce((sum, count) => sum + count, 0);
        expect(completed + failed + droppedInAll + world.runner.inFlight).toBe(arrived);
      }
      world.runner.beginDraining();
      await world.clock.advanceTo(world.clock.nowMs() + 1000);
      await Promise.all([world.runner.drained, ...world.drains]);
      const kinds = (await Promise.all(world.outcomes)).flat();
      expect(world.ends.map(({ kind }) => kind).sort()).toEqual(kinds.sort());
      expect([world.runner.inFlight, world.runner.inFlightBytes]).toEqual([0, 0]);
    }),
    { seed: 11, numRuns: 150 },
  );
});
