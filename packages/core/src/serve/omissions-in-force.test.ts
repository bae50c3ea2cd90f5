import { describe, expect, it } from 'vitest';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { OmissionsInForce } from './omissions-in-force.js';
import { Bench, edge, points, type Replica } from './scheduler-bench.test-support.js';
import { servingGraph } from './serving-graph.js';

const PARTIAL = { onMissing: 'partial' } as const;
/** Two members, each of two stages: `p` leads to `a`, `q` to `b`. */
const names = ['s', 'p', 'a', 'q', 'b', 'end'];
const spec: PipelineSpec = {
  ...chainSpec(Object.fromEntries(names.map((name) => [name, points]))),
  edges: [
    ...[edge('s', 'p'), edge('p', 'a'), edge('a', 'end', PARTIAL)],
    ...[edge('s', 'q'), edge('q', 'b'), edge('b', 'end', PARTIAL)],
  ],
};
const [s, p, a, q, b, end] = [0, 1, 2, 3, 4, 5] as const;

const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 };

class TwoMembers extends Bench {
  readonly replicas: readonly Replica[];
  #nowMs = 0;

  /** At first, the plan omits the second member. */
  constructor() {
    super(spec);
    this.replicas = names.map((_, stage) => this.serve(stage));
    this.omit(q, b);
  }

  omit(...stages: readonly number[]): void {
    for (const stage of stages) this.scheduler.setPolicy(stage, { ...policy, isOmitted: true }, this.#nowMs);
  }

  takeBack(...stages: readonly number[]): void {
    for (const stage of stages) this.scheduler.setPolicy(stage, policy, this.#nowMs);
  }

  drain(...stages: readonly number[]): void {
    for (const stage of stages) this.scheduler.drainReplica(this.replicas[stage] as Replica);
  }

  run(atMs: number, ...stages: readonly number[]): void {
    this.#nowMs = atMs;
    for (const stage of stages) this.finish(this.replicas[stage] as Replica, atMs);
  }

  get news(): readonly string[] {
    return this.log.filter((line) => /done|drained/.test(line));
  }
}

describe('a plan that takes one member in place of another', () => {
  it('leaves a request between the stages of the old member with that member', () => {
    const bench = new TwoMembers();
    bench.arrive('x', 0);
    bench.run(1, s);
    bench.takeBack(q, b);
    bench.omit(p, a);
    bench.drain(p, a);
    bench.arrive('y', 2);
    bench.run(3, p, s);
    bench.run(4, a, q);
    bench.run(5, end, b);
    bench.run(6, end);
    expect(bench.news).toEqual(['5 done {x>0>1>2}>5', 'drained r1', 'drained r2', '6 done {&y>0>3>4}>5']);
  });

  it('has new requests go on with the old member until the new one is complete', () => {
    const bench = new TwoMembers();
    bench.omit(p, a);
    bench.drain(p, a);
    bench.takeBack(q);
    expect(bench.news).toEqual([]);
    bench.arrive('x', 0);
    bench.takeBack(b);
    bench.arrive('y', 1);
    bench.run(2, s);
    bench.run(3, p, s);
    bench.run(4, a, q);
    bench.run(5, end, b);
    bench.run(6, end);
    expect(bench.news).toEqual(['5 done {x>0>1>2}>5', 'drained r1', 'drained r2', '6 done {&y>0>3>4}>5']);
  });

  it('runs no stage that only leads to an omitted one', () => {
    const bench = new TwoMembers();
    bench.takeBack(q);
    bench.arrive('x', 0);
    bench.run(1, s);
    expect(bench.log.filter((line) => line.includes(`run ${q}`))).toEqual([]);
  });

  it.each(['the last request that needs them is cancelled', 'it fails', 'the server is stopped'])(
    'lets the old replicas go when %s',
    (how) => {
      const bench = new TwoMembers();
      const request = bench.arrive('x', 0);
      if (how !== 'the server is stopped') bench.takeBack(q, b);
      bench.omit(p, a);
      bench.drain(p, a);
      expect(bench.news).toEqual([]);
      if (how === 'it fails') bench.scheduler.failRequest(request, 'a defect', 1);
      else bench.scheduler.cancel(request, 1);
      if (how === 'the server is stopped') {
        expect(bench.news).toEqual([]);
        bench.scheduler.beginDraining();
      }
      expect(bench.news).toEqual(['drained r1', 'drained r2']);
    },
  );

  it('gives a replica that is lost no more batches', () => {
    const bench = new TwoMembers();
    bench.arrive('x', 0);
    bench.takeBack(q, b);
    bench.omit(p, a);
    bench.drain(p, a);
    bench.scheduler.removeReplica(bench.replicas[p] as Replica);
    bench.run(1, s);
    expect(bench.log.filter((line) => line.includes(`run ${p}`))).toEqual([]);
    bench.scheduler.advance(1000);
    expect(bench.log.at(-2)).toBe('1000 drop x no-ready-replica');
    expect(bench.news).toEqual(['drained r1', 'drained r2']);
  });

  it('needs a stage while a request that may visit it is in flight', () => {
    const omissions = new OmissionsInForce(servingGraph(spec));
    const { current: first } = omissions;
    first.requestEntered();
    for (let i = 0; i < 100; i++) {
      omissions.plan(a, i % 2 === 0);
      omissions.current.requestEntered();
      omissions.current.requestEnded();
    }
    omissions.plan(a, true);
    expect([omissions.isNeeded(a), omissions.isNeeded(b)]).toEqual([true, false]);
    first.requestEnded();
    expect(omissions.isNeeded(a)).toBe(false);
  });
});
