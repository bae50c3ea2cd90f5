import { describe, expect, it } from 'vitest';
import { replicaId, stageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { Bench, edge, one, points, type Replica } from './scheduler-bench.test-support.js';

const both = [{ name: 'input', to: [stageId('a'), stageId('b')], tensors: [] }];

describe('dispatch', () => {
  it('takes what is queued, up to the max batch size, earliest deadline first and in order among equals', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 3 });
    bench.arrive('a', 0);
    for (const [name, deadlineAtMs] of [
      ['b', 900],
      ['c', 800],
      ['d', 900],
      ['e', 850],
    ] as const)
      bench.arrive(name, 1, deadlineAtMs);
    bench.finish(replica, 10);
    bench.finish(replica, 20);
    expect(bench.log.filter((line) => line.includes('run'))).toEqual([
      '0 run 0 [a]',
      '10 run 0 [c e b]',
      '20 run 0 [d]',
    ]);
  });

  it('takes the more urgent first, whatever their deadlines', () => {
    const bench = new Bench(one, { priorityShares: [0, 0] });
    const replica = bench.serve(0, { maxBatchSize: 2 });
    bench.arrive('a', 0);
    bench.arrive('b', 1, 500, 1);
    bench.arrive('c', 1, 900, 0);
    bench.arrive('d', 1, 800, 0);
    bench.finish(replica, 10);
    bench.finish(replica, 20);
    expect(bench.log.filter((line) => line.includes('run'))).toEqual(['0 run 0 [a]', '10 run 0 [d c]', '20 run 0 [b]']);
  });

  it('drops the last of the least urgent when the queue is full, and who comes if nobody is less urgent', () => {
    const bench = new Bench(one, { priorityShares: [0, 0, 0], maxQueueLength: 2 });
    bench.serve(0);
    bench.arrive('running', 0);
    bench.arrive('low', 1, 900, 2);
    bench.arrive('lower deadline', 1, 800, 2);
    bench.arrive('high', 2, 1000, 0);
    bench.arrive('low again', 3, 1000, 2);
    bench.arrive('normal', 4, 1000, 1);
    bench.arrive('another', 5, 1000, 1);
    expect(bench.log.filter((line) => line.includes('drop'))).toEqual([
      '2 drop low queue-full',
      '3 drop low again queue-full',
      '4 drop lower deadline queue-full',
      '5 drop another queue-full',
    ]);
  });

  it('gives a less urgent item up that can no longer make it while more urgent ones go first', () => {
    const bench = new Bench(one, { priorityShares: [0, 0] });
    const replica = bench.serve(0, { serviceMs: 10 });
    bench.arrive('a', 0, 500);
    bench.arrive('low', 0, 25, 1);
    bench.arrive('b', 0, 500);
    bench.finish(replica, 10);
    bench.scheduler.advance(15);
    expect(bench.log).toEqual(['0 run 0 [a]', '10 done a>0', '10 run 0 [b]', '15 drop low deadline-unreachable']);
  });

  it('waits for companions no longer than maxBatchWaitMs, and not at all when the batch is full', () => {
    const bench = new Bench(one);
    bench.serve(0, { maxBatchSize: 2, maxBatchWaitMs: 5 });
    bench.arrive('a', 0);
    expect(bench.log).toEqual([]);
    expect(bench.wakes).toContain(5);
    bench.scheduler.advance(5);
    expect(bench.log).toEqual(['5 run 0 [a]']);
  });

  it('waits for no more companions than were sent together', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 4, maxBatchWaitMs: 5 });
    const sent = (name: string, sentTogether: number, nowMs: number) =>
      bench.scheduler.arrive({ context: name, arrivedAtMs: nowMs, deadlineAtMs: nowMs + 1000, sentTogether }, name);
    sent('a', 1, 0);
    bench.finish(replica, 10);
    sent('b', 2, 10);
    expect(bench.log).toEqual(['0 run 0 [a]', '10 done a>0']);
    sent('c', 2, 11);
    expect(bench.log.at(-1)).toBe('11 run 0 [b c]');
    bench.finish(replica, 20);
    sent('lone', 3, 20);
    bench.scheduler.advance(25);
    expect(bench.log.at(-1)).toBe('25 run 0 [lone]');
  });

  it('does not wait anew for an item that overtakes the first', () => {
    const bench = new Bench(one);
    bench.serve(0, { maxBatchSize: 3, maxBatchWaitMs: 5 });
    bench.arrive('a', 0);
    bench.arrive('b', 4, 500);
    bench.scheduler.advance(5);
    expect(bench.log).toEqual(['5 run 0 [b a]']);
  });

  it('counts the wait from the longest there, even when a replica becomes free late and the head has just come', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 3, maxBatchWaitMs: 5 });
    bench.arrive('a', 0);
    bench.scheduler.advance(5);
    bench.arrive('old', 6, 2000);
    bench.arrive('head', 19);
    bench.finish(replica, 20);
    expect(bench.log.at(-1)).toBe('20 run 0 [head old]');
  });

  it('waits from the arrival of what is still there when a change lets it wait for companions', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    for (const [name, atMs] of [
      ['a', 0],
      ['b', 1],
      ['c', 18],
    ] as const)
      bench.arrive(name, atMs);
    bench.finish(replica, 19);
    bench.scheduler.setPolicy(0, { maxBatchSize: 3, maxBatchWaitMs: 5, remainingMs: 0 }, 20);
    bench.finish(replica, 21);
    expect(bench.log.at(-1)).toBe('21 done b>0');
    expect(bench.wakes.at(-1)).toBe(23);
    bench.scheduler.advance(23);
    expect(bench.log.at(-1)).toBe('23 run 0 [c]');
  });

  it('starts a share below one core only at a CPU-time level of 0 or more', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { cpuCores: 0.5 });
    bench.arrive('a', 0, 10_000);
    bench.arrive('b', 0, 10_000);
    bench.finish(replica, 200); // level 50 − 0.5·200 = −50, refilled at 0.5 per ms
    expect(bench.running).toHaveLength(1);
    expect(bench.wakes.at(-1)).toBe(300);
    bench.scheduler.advance(300);
    expect(bench.running).toHaveLength(2);
  });

  it('charges a share the CPU time of a batch, not the time in which other processes held the core', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { cpuCores: 0.05 });
    for (let nowMs = 0; nowMs < 10_000; nowMs += 20) {
      bench.arrive('a', nowMs);
      bench.finish(replica, nowMs + 19, 1); // 1 ms of work for each refill of 1 ms
    }
    expect(bench.running).toHaveLength(500);
    for (let nowMs = 10_000; nowMs < 12_000; nowMs += 20) {
      bench.scheduler.advance(nowMs);
      bench.arrive('b', nowMs, 100_000);
      if (replica.busy) bench.finish(replica, nowMs + 19, 19); // the share of 2 s and the burst are 150 ms
    }
    expect(bench.running.length - 500).toBeGreaterThanOrEqual(Math.floor(150 / 19));
    expect(bench.running.length - 500).toBeLessThanOrEqual(Math.ceil(150 / 19) + 1);
  });

  it('charges a share no more than the time of the batch and fills it to no more than the burst', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { cpuCores: 0.5 });
    bench.arrive('a', 0, 10_000);
    bench.finish(replica, 1000, 0); // idle, in effect: the level stays at the burst of 50
    for (const name of ['b', 'c']) bench.arrive(name, 1000, 10_000);
    bench.finish(replica, 1200, 5000); // level 50 − 0.5·200 = −50
    expect(bench.wakes.at(-1)).toBe(1300);
  });

  it('lets no more threads run than the host has cores and serves the gate by deadline', () => {
    const bench = new Bench(chainSpec({ a: points, b: points }), { hostCores: 1 });
    const first = bench.serve(0);
    bench.serve(1);
    bench.arrive('x', 0);
    bench.arrive('y', 1);
    bench.finish(first, 10); // x waits at stage 1 with the earlier deadline, y at stage 0
    expect(bench.log).toEqual(['0 run 0 [x]', '10 run 1 [x>0]']);
  });

  it('counts no thread and no share for a replica on another host', () => {
    const bench = new Bench({ ...chainSpec({ a: points, b: points }), edges: [], sources: both }, { hostCores: 1 });
    const elsewhere = bench.serve(0, { cpuCores: 0 });
    bench.serve(1);
    bench.arrive('x', 0);
    expect(bench.log).toEqual(['0 run 0 [x]', '0 run 1 [x]']);
    bench.arrive('y', 1);
    bench.finish(elsewhere, 500);
    expect(bench.log.at(-1)).toBe('500 run 0 [y]');
  });

  it('serves the first of two stages whose deadlines are equal', () => {
    const bench = new Bench({ ...chainSpec({ a: points, b: points }), edges: [], sources: both }, { hostCores: 1 });
    const [a, b] = [bench.serve(0), bench.serve(1)];
    bench.arrive('x', 0);
    bench.finish(a, 10);
    bench.arrive('y', 11);
    bench.finish(b, 20);
    expect(bench.log.filter((line) => line.includes('run')).at(-1)).toBe('20 run 0 [y]');
  });

  it('forms the next batch from everything that one event delivered', () => {
    const bench = new Bench(chainSpec({ a: points, b: points }));
    const first = bench.serve(0, { maxBatchSize: 4, maxBatchWaitMs: 1 });
    bench.serve(1, { maxBatchSize: 4 });
    for (const name of ['a', 'b', 'c']) bench.arrive(name, 0);
    bench.scheduler.advance(1);
    bench.finish(first, 5);
    expect(bench.log.at(-1)).toBe('5 run 1 [a>0 b>0 c>0]');
  });
});

describe('the walk', () => {
  const fanned = {
    ...chainSpec({ a: points, b: points, c: points }),
    edges: [edge('a', 'b', { fanOut: { expected: 2 } }), edge('b', 'c', { join: 'all' })],
  };

  function walk(spec: PipelineSpec, fanOutCount: number): readonly string[] {
    const bench = new Bench(spec);
    bench.fanOutCount = fanOutCount;
    spec.stages.forEach((_, stage) => {
      bench.serve(stage);
    });
    bench.arrive('x', 0);
    for (let now = 1; bench.running.length > 0; now++) bench.finish(bench.running.shift() as Replica, now);
    return bench.log.filter((line) => line.includes('done'));
  }

  it('joins a fan-out in the order of its items', () => {
    expect(walk(fanned, 3)).toEqual(['5 done (x>0#0>1+x>0#1>1+x>0#2>1)>2']);
  });

  it('goes on behind the join when a fan-out has no items', () => {
    expect(walk(fanned, 0)).toEqual(['2 done ()>2']);
  });

  it('merges branches in the order of the edges and answers with all outputs', () => {
    const diamond = {
      ...chainSpec({ a: points, b: points, c: points, d: points }),
      edges: [edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')],
      outputs: [{ from: stageId('d') }, { from: stageId('a') }],
    };
    expect(walk(diamond, 0)).toEqual(['4 done {x>0>1&x>0>2}>3 x>0']);
  });

  it('answers with all items of an output inside fan-outs, in their order, and with none', () => {
    const chain = chainSpec({ a: points, b: points, c: points });
    const once = { ...chain, edges: [edge('a', 'b', { fanOut: { expected: 2 } }), edge('b', 'c')] };
    expect(walk(once, 2)).toEqual(['5 done (x>0#0>1>2+x>0#1>1>2)']);
    expect(walk(once, 0)).toEqual(['1 done ()']);
    const twice = {
      ...chain,
      edges: [edge('a', 'b', { fanOut: { expected: 2 } }), edge('b', 'c', { fanOut: { expected: 2 } })],
    };
    const inner = (i: number) => `(x>0#${i}>1#0>2+x>0#${i}>1#1>2)`;
    expect(walk(twice, 2)).toEqual([`7 done (${inner(0)}+${inner(1)})`]);
  });

  it('answers from an output in the middle only when all items of its fan-out have', () => {
    const chain = chainSpec({ a: points, b: points, c: points });
    const edges = [edge('a', 'b', { fanOut: { expected: 2 } }), edge('b', 'c', { join: 'all' })];
    const spec = { ...chain, edges, outputs: [{ from: stageId('b') }, { from: stageId('c') }] };
    expect(walk(spec, 2)).toEqual(['4 done (x>0#0>1+x>0#1>1) (x>0#0>1+x>0#1>1)>2']);
    expect(walk(spec, 0)).toEqual(['2 done () ()>2']);
  });

  it('nests fan-outs', () => {
    const nested = {
      ...chainSpec({ a: points, b: points, c: points, d: points, e: points }),
      edges: [
        edge('a', 'b', { fanOut: { expected: 2 } }),
        edge('b', 'c', { fanOut: { expected: 2 } }),
        edge('c', 'd', { join: 'all' }),
        edge('d', 'e', { join: 'all' }),
      ],
    };
    const inner = (i: number) => `(x>0#${i}>1#0>2+x>0#${i}>1#1>2)>3`;
    expect(walk(nested, 2)).toEqual([`10 done (${inner(0)}+${inner(1)})>4`]);
  });
});

describe('replicas', () => {
  it('leave after their batch when drained busy, at once when free', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    bench.arrive('a', 0);
    bench.scheduler.drainReplica(replica);
    bench.arrive('b', 1);
    bench.finish(replica, 2);
    expect(bench.log).toEqual(['0 run 0 [a]', 'drained r0', '2 done a>0']);
    const next = bench.scheduler.addReplica(0, { replicaId: replicaId('next'), cpuCores: 1 }, 3);
    expect(bench.log.at(-1)).toBe('3 run 0 [b]');
    bench.finish(next, 4);
    bench.scheduler.drainReplica(next);
    expect(bench.log.at(-1)).toBe('drained next');
  });
});

describe('a stage that the plan omits', () => {
  const PARTIAL = { onMissing: 'partial' } as const;
  const spec = {
    ...chainSpec({ a: points, b: points, c: points, d: points }),
    edges: [edge('a', 'b'), edge('a', 'c'), edge('b', 'd', PARTIAL), edge('c', 'd', PARTIAL)],
  };
  const omitted = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0, isOmitted: true };

  it('serves the requests that entered before, then its replicas leave; later requests skip it', () => {
    const bench = new Bench(spec);
    const [a, b, c, d] = [0, 1, 2, 3].map((stage) => bench.serve(stage)) as [Replica, Replica, Replica, Replica];
    for (const [i, name] of ['x', 'y', 'z'].entries()) bench.arrive(name, i);
    bench.finish(a, 3);
    bench.finish(a, 4);
    bench.scheduler.setPolicy(1, omitted, 5);
    bench.scheduler.drainReplica(b);
    bench.arrive('later', 5);
    bench.finish(b, 6);
    bench.finish(b, 7);
    bench.finish(a, 8);
    bench.finish(b, 9);
    bench.finish(a, 10);
    for (const atMs of [11, 12, 13, 14]) bench.finish(c, atMs);
    for (const atMs of [15, 16, 17, 18]) bench.finish(d, atMs);
    expect(bench.log.filter((line) => /done|drained/.test(line))).toEqual([
      '15 done {x>0>1&x>0>2}>3',
      '16 done {y>0>1&y>0>2}>3',
      '17 done {z>0>1&z>0>2}>3',
      'drained r1',
      '18 done {&later>0>2}>3',
    ]);
    expect(bench.scheduler.inFlight).toBe(0);
  });

  it('lets its replica go when the waiting items are cancelled, or when the replica is lost', () => {
    const bench = new Bench(spec);
    const [a, b] = [bench.serve(0), bench.serve(1), bench.serve(2)] as [Replica, Replica, Replica];
    const requests = ['x', 'y', 'z'].map((name, atMs) => bench.arrive(name, atMs));
    for (const atMs of [3, 4, 5]) bench.finish(a, atMs);
    const other = bench.scheduler.addReplica(1, { replicaId: replicaId('other'), cpuCores: 1 }, 6);
    bench.scheduler.setPolicy(1, omitted, 7);
    for (const replica of [b, other]) bench.scheduler.drainReplica(replica);
    bench.scheduler.loseReplica(b, 'gone', 8);
    expect(bench.log.filter((line) => line.startsWith('drained'))).toEqual(['drained r1']);
    for (const request of requests) bench.scheduler.cancel(request, 9);
    if (other.busy) bench.finish(other, 10);
    expect(bench.log.filter((line) => line.startsWith('drained'))).toEqual(['drained r1', 'drained other']);
  });
});

describe('a lost replica', () => {
  it.each([
    ['in time, so its batch runs once more', 25, ['12 run 0 [a]', '22 done a>0']],
    ['too late for another run', 21, ['12 fail a gone']],
  ])('%s', (_, deadlineAtMs, expected) => {
    const bench = new Bench(one);
    const lost = bench.serve(0, { serviceMs: 10 });
    bench.arrive('a', 0, deadlineAtMs);
    const other = bench.serve(0, { serviceMs: 10 });
    bench.scheduler.loseReplica(lost, 'gone', 12);
    if (other.busy) bench.finish(other, 22);
    expect(bench.log.filter((line) => line !== 'drained r0')).toEqual(['0 run 0 [a]', ...expected]);
    expect(bench.scheduler.retries(0)).toBe(expected.length - 1);
  });

  it.each([
    ['unsent', ['12 run 0 [a]', '22 done a>0']],
    ['lost', ['12 fail a gone']],
  ] as const)(
    'where no batch may run twice, has its batch run elsewhere only if it was not sent: %s',
    (fault, expected) => {
      const [stage] = one.stages;
      const bench = new Bench({ ...one, stages: [{ ...(stage as (typeof one.stages)[number]), idempotent: false }] });
      const lost = bench.serve(0, { serviceMs: 10 });
      bench.arrive('a', 0);
      const other = bench.serve(0, { serviceMs: 10 });
      bench.scheduler.loseReplica(lost, 'gone', 12, fault);
      if (other.busy) bench.finish(other, 22);
      expect(bench.log.filter((line) => line !== 'drained r0')).toEqual(['0 run 0 [a]', ...expected]);
    },
  );
});

describe('replicas that one input of a batch ends', () => {
  it.each([
    ['within 10 s, its items run alone', 10_000, ['run 0 [b]', 'done b>0', 'run 0 [c]', 'done c>0']],
    ['longer ago, its items run together', 10_001, ['run 0 [b c]', 'done b>0', 'done c>0']],
  ])('if the stage lost another replica %s', (_, lostAtMs, expected) => {
    const bench = new Bench(one);
    const serving = (nowMs: number) => bench.serve(0, { serviceMs: 10, maxBatchSize: 2, nowMs });
    const first = serving(0);
    bench.arrive('first', 0, 20_000);
    bench.scheduler.loseReplica(first, 'gone', 0);
    const lost = serving(0);
    bench.finish(lost, 5);
    for (const name of ['a', 'b', 'c']) bench.arrive(name, lostAtMs - 10, lostAtMs + 1_000);
    bench.finish(lost, lostAtMs - 5);
    const other = serving(lostAtMs);
    bench.log.splice(0);
    bench.scheduler.loseReplica(lost, 'gone', lostAtMs);
    for (let nowMs = lostAtMs + 10; other.busy; nowMs += 10) bench.finish(other, nowMs);
    const told = bench.log.flatMap((line) => /(run|done|fail) .*/.exec(line)?.[0] ?? []);
    expect(told).toEqual(expected);
  });

  it('run an input that is alone in its batch a second time, and not a third time', () => {
    const bench = new Bench(one);
    let replica = bench.serve(0, { serviceMs: 10 });
    bench.scheduler.loseReplica(bench.serve(0, { serviceMs: 10 }), 'gone', 0);
    bench.arrive('a', 0);
    for (let nowMs = 10; replica.busy; nowMs += 10) {
      const other = bench.serve(0, { serviceMs: 10, nowMs });
      bench.scheduler.loseReplica(replica, 'gone', nowMs);
      replica = other;
    }
    const told = bench.log.filter((line) => /run|fail/.test(line));
    expect(told).toEqual(['0 run 0 [a]', '10 run 0 [a]', '20 fail a gone']);
  });

  it.each([true, false])('fail only this input, if batches may run again: %s', (idempotent) => {
    const [stage] = one.stages;
    const bench = new Bench({ ...one, stages: [{ ...(stage as (typeof one.stages)[number]), idempotent }] });
    let replica = bench.serve(0, { serviceMs: 10, maxBatchSize: 3 });
    bench.arrive('a', 0);
    for (const name of ['b', 'c', 'd']) bench.arrive(name, 0);
    bench.finish(replica, 5);
    for (let nowMs = 10; replica.busy; nowMs += 10) {
      if (replica.batch.some(({ payload }) => payload === 'c')) {
        bench.scheduler.loseReplica(replica, 'gone', nowMs);
        replica = bench.serve(0, { serviceMs: 10, maxBatchSize: 3, nowMs });
      } else bench.finish(replica, nowMs);
    }
    const outcomes = bench.log.slice(3).filter((line) => /run|done|fail/.test(line));
    expect(outcomes).toEqual(
      idempotent
        ? [
            ...['10 run 0 [b c d]', '20 run 0 [b]', '30 done b>0', '30 run 0 [c]'],
            ...['40 fail c gone', '40 run 0 [d]', '50 done d>0'],
          ]
        : ['10 fail b gone', '10 fail c gone', '10 fail d gone'],
    );
  });
});

describe('a failed batch of several items', () => {
  it.each([
    ['runs each of them alone, so that only the bad one fails', 1000, ['10 run 0 [b]', '30 run 0 [c]', '50 run 0 [d]']],
    ['fails if there is no time for another run', 25, []],
  ])('%s', (_, deadlineAtMs, alone) => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { serviceMs: 10, maxBatchSize: 3 });
    bench.arrive('a', 0);
    for (const name of ['b', 'c', 'd']) bench.arrive(name, 0, deadlineAtMs);
    bench.finish(replica, 5);
    const fail = (nowMs: number): void => {
      bench.scheduler.failBatch(replica, new Map(replica.batch.map((item) => [item, 'bad'])), 'failed', nowMs);
      bench.scheduler.batchDone(replica, [], nowMs);
    };
    fail(deadlineAtMs === 25 ? 20 : 10);
    for (let nowMs = 30; replica.busy; nowMs += 20) {
      if (replica.batch[0]?.payload === 'c') fail(nowMs);
      else bench.finish(replica, nowMs);
    }
    const outcomes =
      alone.length === 0
        ? ['20 fail b bad', '20 fail c bad', '20 fail d bad']
        : [alone[0], '30 done b>0', alone[1], '50 fail c bad', alone[2], '70 done d>0'];
    expect(bench.log.slice(3)).toEqual(outcomes);
    expect(bench.scheduler.retries(0)).toBe(alone.length);
  });

  it('fails and drops none where it breaks the stage for all: those that alone would be late fail at once', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { serviceMs: 10, maxBatchSize: 4 });
    bench.arrive('a', 0);
    for (const name of ['b', 'c', 'd', 'e']) bench.arrive(name, 0, 45);
    bench.finish(replica, 5);
    for (let nowMs = 15; replica.busy; nowMs += 12) {
      bench.scheduler.failBatch(replica, new Map(replica.batch.map((item) => [item, 'bad'])), 'failed', nowMs);
      bench.scheduler.batchDone(replica, [], nowMs);
    }
    const ends = bench.log.filter((line) => /fail|drop/.test(line)).map((line) => line.replace(/^\d+ /, ''));
    expect(ends.toSorted()).toEqual(['fail b bad', 'fail c bad', 'fail d bad', 'fail e bad']);
  });

  it('lets an only replica run others between its items, and no more items wait than the queue may have', () => {
    const bench = new Bench(one, { maxQueueLength: 3 });
    const replica = bench.serve(0, { serviceMs: 10, maxBatchSize: 4 });
    bench.arrive('a', 0);
    for (const name of ['b', 'c', 'd']) bench.arrive(name, 0);
    bench.finish(replica, 5);
    bench.scheduler.failBatch(replica, new Map(replica.batch.map((item) => [item, 'bad'])), 'failed', 10);
    bench.arrive('e', 10);
    expect(bench.log.at(-1)).toBe('10 drop e queue-full');
    bench.scheduler.batchDone(replica, [], 10);
    bench.arrive('f', 11);
    bench.finish(replica, 20);
    bench.finish(replica, 30);
    bench.finish(replica, 40);
    expect(bench.log.filter((line) => line.includes('run')).slice(2)).toEqual([
      '10 run 0 [b]',
      '20 run 0 [f]',
      '30 run 0 [c]',
      '40 run 0 [d]',
    ]);
  });

  it('runs them alone even after a lost replica', () => {
    const bench = new Bench(one);
    const lost = bench.serve(0, { serviceMs: 10, maxBatchSize: 2 });
    bench.arrive('a', 0);
    for (const name of ['b', 'c']) bench.arrive(name, 0);
    bench.finish(lost, 5);
    const other = bench.serve(0, { serviceMs: 10, maxBatchSize: 2 });
    bench.scheduler.loseReplica(lost, 'gone', 8);
    bench.scheduler.failBatch(other, new Map(other.batch.map((item) => [item, 'bad'])), 'failed', 20);
    bench.scheduler.batchDone(other, [], 20);
    bench.finish(other, 30);
    bench.finish(other, 40);
    expect(bench.log.filter((line) => /run|done|fail/.test(line)).slice(3)).toEqual([
      '8 run 0 [b c]',
      '20 run 0 [b]',
      '30 done b>0',
      '30 run 0 [c]',
      '40 done c>0',
    ]);
  });

  it('fails as a whole where the stage must not run a batch twice', () => {
    const [stage] = one.stages;
    const bench = new Bench({ ...one, stages: [{ ...(stage as (typeof one.stages)[number]), idempotent: false }] });
    const replica = bench.serve(0, { serviceMs: 10, maxBatchSize: 2 });
    for (const name of ['a', 'b', 'c']) bench.arrive(name, 0);
    bench.finish(replica, 5);
    bench.scheduler.failBatch(replica, new Map(replica.batch.map((item) => [item, 'bad'])), 'failed', 15);
    expect(bench.log.slice(3)).toEqual(['15 fail b bad', '15 fail c bad']);
  });
});

describe('a watched replica', () => {
  const watched = { watchReplicas: true };

  it('is not blamed for a stall of this process', () => {
    const bench = new Bench(one, watched);
    const replica = bench.serve(0, { serviceMs: 10 });
    bench.arrive('a', 0);
    bench.scheduler.advance(900);
    bench.finish(replica, 901);
    expect(bench.log).toEqual(['0 run 0 [a]', '901 done a>0']);
  });

  it('that keeps failing gets no batches for a while, then one item, and is replaced when it stays bad', () => {
    const bench = new Bench(one, watched);
    const bad = bench.serve(0, { serviceMs: 1000, maxBatchSize: 2 });
    const good = bench.serve(0, { serviceMs: 1000, maxBatchSize: 2 });
    const fail = (nowMs: number): void => {
      bench.scheduler.failBatch(bad, new Map(bad.batch.map((item) => [item, 'bad'])), 'failed', nowMs);
      bench.scheduler.batchDone(bad, [], nowMs);
    };
    for (let i = 0; i < 5; i++) {
      bench.arrive(`f${i}`, i, i + 9_000);
      fail(i);
    }
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) bench.arrive(name, 5, 50_000);
    expect([bad.busy, good.batch.length]).toEqual([false, 1]);
    bench.scheduler.advance(1_004);
    expect(bad.batch.map(({ payload }) => payload)).toEqual(['b']);
    fail(1_010);
    bench.scheduler.advance(3_010);
    fail(3_020);
    bench.scheduler.advance(7_020);
    fail(7_030);
    expect(bench.log.filter((line) => /unfit|drained/.test(line))).toEqual(['7030 unfit r0 failing', 'drained r0']);
    expect(bench.scheduler.issues(0)).toEqual({ opened: 3, failing: 1, slow: 0, hung: 0 });
  });
});
