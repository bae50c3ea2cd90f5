import { describe, expect, it } from 'vitest';
import { chainSpec } from '../model/spec-builders.test-support.js';
import type { RequestState } from './request-state.js';
import { Bench, edge, points, type Replica } from './scheduler-bench.test-support.js';

const chain = chainSpec({ a: points, b: points });
const spec = { ...chain, edges: [edge('a', 'b', { when: { condition: 'costly', probability: 1 } })] };

/** Stage `a` has a condition of `cost` steps behind it. */
class CostlyBench extends Bench {
  readonly decided: string[] = [];
  pauses = 0;
  cost = 15_000;
  #steps = 0;

  override takes(_edge: unknown, output?: string): boolean {
    this.#steps += this.cost;
    if (output === 'broken>0') throw new Error('a defect');
    this.decided.push(String(output));
    return true;
  }

  steps(): number {
    return this.#steps;
  }

  walkLater(): void {
    this.pauses += 1;
  }

  /** Names of the requests whose outputs walked on. */
  walkOn(nowMs: number): readonly string[] {
    const walked: RequestState<string, string>[] = [];
    try {
      this.scheduler.walkOn(walked, nowMs);
    } catch {
      walked.push({ context: 'defect' } as RequestState<string, string>);
    }
    return walked.map(({ context }) => context);
  }
}

function send(bench: Bench, names: readonly string[], client?: object, deadlineAtMs = 1000): void {
  for (const name of names) bench.scheduler.arrive({ context: name, arrivedAtMs: 0, deadlineAtMs, client }, name);
}

/** Two replicas of `a` and one of `b`, each with batches of up to 8. */
function setUp(): { readonly bench: CostlyBench; readonly replicas: readonly [Replica, Replica] } {
  const bench = new CostlyBench(spec);
  const replicas = [0, 0, 1].map((stage) => bench.serve(stage, { maxBatchSize: 8 }));
  return { bench, replicas: replicas as unknown as [Replica, Replica] };
}

describe('the outputs of a batch', () => {
  it('walk on in slices of about 20,000 steps, one in each turn', () => {
    const { bench, replicas } = setUp();
    send(bench, ['1', '2']);
    send(bench, ['3', '4', '5', '6', '7']);
    bench.finish(replicas[0], 1);
    bench.finish(replicas[1], 1);
    expect([bench.decided.length, bench.pauses]).toEqual([2, 0]);
    // The replica is free at once.
    expect(bench.log).toContain('1 run 0 [3 4 5 6 7]');
    bench.finish(replicas[0], 2);
    expect(bench.decided).toHaveLength(2);
    const turns = [bench.walkOn(3), bench.walkOn(4), bench.walkOn(5)];
    expect(turns).toEqual([['3', '4'], ['5', '6'], ['7']]);
    expect([bench.decided.length, bench.pauses]).toEqual([7, 3]);
  });

  it('walk on at once if conditions are cheap, with a pause from time to time', () => {
    const { bench, replicas } = setUp();
    bench.cost = 5;
    for (let i = 0; i < 2000; i++) {
      send(bench, [`${i}`]);
      bench.finish(replicas[0], 0);
      if (bench.pauses > 0) break;
    }
    expect(bench.decided).toHaveLength(800);
  });

  it('never wait without a condition behind their stage', () => {
    const { bench, replicas } = setUp();
    bench.cost = 100_000;
    send(bench, ['1', '2', '3']);
    bench.finish(replicas[0], 1);
    bench.finish(replicas[1], 1);
    const [b] = bench.running.filter(({ stage }) => stage === 1);
    bench.finish(b as Replica, 2);
    expect(bench.log).toContain('2 done 1>0>1');
    expect(bench.pauses).toBe(1);
  });

  it('wait behind those of clients that took fewer steps', () => {
    const { bench, replicas } = setUp();
    bench.cost = 30_000;
    send(bench, ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'], { name: 'heavy' });
    bench.finish(replicas[0], 1);
    send(bench, ['l1'], { name: 'light' });
    for (const replica of [replicas[1], replicas[0], replicas[1]]) bench.finish(replica, 1);
    expect(bench.walkOn(2)).toEqual(['h2']);
    expect(bench.walkOn(3)).toEqual(['l1']);
    expect(bench.walkOn(4)).toEqual(['h3']);
  });

  it('are dropped without a decision once their deadline has passed', () => {
    const { bench, replicas } = setUp();
    bench.cost = 30_000;
    send(bench, ['1', '2', '3'], undefined, 50);
    for (const replica of [replicas[0], replicas[1], replicas[0]]) bench.finish(replica, 1);
    expect(bench.walkOn(50)).toEqual(['2', '3']);
    expect(bench.decided).toHaveLength(1);
    expect(bench.log.filter((line) => line.includes('drop'))).toEqual([
      '50 drop 2 deadline-passed',
      '50 drop 3 deadline-passed',
    ]);
  });

  it('are told before a defect in their walk, and the others walk on later', () => {
    const { bench, replicas } = setUp();
    bench.cost = 30_000;
    send(bench, ['1', 'broken', '2']);
    for (const replica of [replicas[0], replicas[1], replicas[0]]) bench.finish(replica, 1);
    expect(bench.walkOn(2)).toEqual(['broken', 'defect']);
    expect(bench.pauses).toBe(2);
    expect(bench.walkOn(3)).toEqual(['2']);
  });
});
