/** Stages whose attackers have ended replicas by inputs with a time-out of a minute. */
import { describe, expect, it } from 'vitest';
import { replicaId } from '../model/ids.js';
import { IsolatedItems } from './isolated-items.js';
import { RequestState, StageItem } from './request-state.js';
import { Bench, one, type Replica } from './scheduler-bench.test-support.js';

const MINUTE_MS = 60_000;
const place = { stage: 0, scope: undefined, payload: undefined, enqueuedAtMs: 0 };
const requestOf = (sequence: number): RequestState<undefined, undefined> =>
  new RequestState(sequence, { context: undefined, arrivedAtMs: 0, deadlineAtMs: MINUTE_MS }, 1);

class Stage {
  readonly bench: Bench;
  readonly replicas: Replica[];
  #made = 0;

  constructor(replicas: number, { maxBatchSize = 4, maxQueueLength = 100, spec = one } = {}) {
    this.bench = new Bench(spec, { watchReplicas: true, maxQueueLength });
    this.replicas = Array.from({ length: replicas }, () => this.bench.serve(0, { maxBatchSize, serviceMs: 10 }));
  }

  /** Patient inputs end two replicas each, as many inputs as there are replicas. The replicas are replaced. One request is
   * dropped. */
  attacked(): this {
    const culprits = Math.max(2, this.replicas.length);
    for (let atMs = 0; atMs < 50 * culprits; atMs += 50) {
      this.patient(`exit${atMs}`, atMs);
      this.lose(`exit${atMs}`, atMs + 1);
      this.replace(atMs + 2);
      if (this.bench.log.at(-1)?.includes('fail')) continue;
      this.lose(`exit${atMs}`, atMs + 3);
      this.replace(atMs + 4);
    }
    this.drop(200);
    this.usual('usual', 240);
    this.finish(250);
    this.log();
    return this;
  }

  usual(name: string, nowMs: number): void {
    this.bench.arrive(name, nowMs, nowMs + 500);
  }

  patient(name: string, nowMs: number): void {
    this.bench.arrive(name, nowMs, nowMs + MINUTE_MS);
  }

  /** Three requests wait in vain, because all replicas are busy. */
  drop(nowMs: number): void {
    for (const index of this.replicas.keys()) this.usual(`busy${index}`, nowMs);
    for (const name of ['late1', 'late2', 'late3']) this.bench.arrive(name, nowMs, nowMs + 20);
    this.finish(nowMs + 11);
  }

  lose(name: string, nowMs: number): void {
    const index = this.replicas.findIndex(({ busy, batch }) => busy && batch.some(({ payload }) => payload === name));
    const [replica] = this.replicas.splice(index, 1);
    this.bench.scheduler.loseReplica(replica as Replica, 'lost', nowMs);
  }

  replace(nowMs: number): void {
    const description = { replicaId: replicaId(`new${this.#made++}`), cpuCores: 1 };
    this.replicas.push(this.bench.scheduler.addReplica(0, description, nowMs));
  }

  finish(nowMs: number): void {
    for (const replica of this.replicas) if (replica.busy) this.bench.finish(replica, nowMs);
  }

  log(pattern = /run|fail|drop/): readonly string[] {
    return this.bench.log.splice(0).filter((line) => pattern.test(line));
  }
}

describe('requests like culprits', () => {
  it('run alone, on half of the replicas, after all others', () => {
    const stage = new Stage(4).attacked();
    for (const name of ['p1', 'p2', 'p3']) stage.patient(name, 300);
    for (const name of ['a', 'b']) stage.usual(name, 300);
    expect(stage.log()).toEqual(['300 run 0 [p1]', '300 run 0 [p2]', '300 run 0 [a]', '300 run 0 [b]']);
    for (const name of ['c', 'd']) stage.usual(name, 301);
    stage.patient('p4', 301);
    stage.bench.finish(stage.replicas[0] as Replica, 302);
    expect(stage.log()).toEqual(['302 run 0 [c d]']);
    stage.finish(310);
    expect(stage.log()).toEqual(['310 run 0 [p3]', '310 run 0 [p4]']);
  });

  it('get no replica in place of one that they ended, until it is replaced', () => {
    const stage = new Stage(2).attacked();
    for (const name of ['p1', 'p2']) stage.patient(name, 300);
    stage.lose('p1', 301);
    stage.usual('a', 302);
    stage.finish(312);
    expect(stage.log()).toEqual(['300 run 0 [p1]', '301 fail p1 lost', '302 run 0 [a]']);
    stage.replace(320);
    expect(stage.log()).toEqual(['320 run 0 [p2]']);
  });

  it('get one after a minute, if none comes', () => {
    const stage = new Stage(2).attacked();
    stage.patient('p1', 300);
    stage.lose('p1', 301);
    stage.usual('other', 55_000);
    stage.finish(55_010);
    for (let i = 0; i < 2; i++) stage.bench.scheduler.advance(55_020);
    stage.log();
    stage.patient('p2', 55_020);
    expect(stage.log()).toEqual([]);
    expect(stage.bench.wakes.at(-1)).toBe(60_301);
    stage.bench.scheduler.advance(60_301);
    expect(stage.log()).toEqual(['60301 run 0 [p2]']);
  });

  it('get the next one at once, if a replica came for theirs before it was given up', () => {
    const stage = new Stage(2).attacked();
    stage.patient('p1', 300);
    stage.bench.scheduler.advance(600);
    stage.replace(610);
    stage.bench.scheduler.advance(700);
    stage.patient('p2', 710);
    expect(stage.log()).toEqual(['300 run 0 [p1]', '700 fail p1 stage 0 refuses it', '710 run 0 [p2]']);
  });

  it('leave an only replica to others for 10 s after they have ended it', () => {
    const stage = new Stage(1).attacked();
    for (const name of ['p1', 'p2', 'p3']) stage.patient(name, 300);
    stage.finish(310);
    stage.lose('p2', 311);
    stage.replace(400);
    stage.usual('a', 401);
    stage.finish(411);
    stage.bench.scheduler.advance(9_000);
    expect(stage.bench.wakes.at(-1)).toBe(10_311);
    stage.bench.scheduler.advance(10_311);
    expect(stage.log()).toEqual([
      ...['300 run 0 [p1]', '310 run 0 [p2]', '311 fail p2 lost', '401 run 0 [a]', '10311 run 0 [p3]'],
    ]);
  });

  it('that waited already when the second culprit was found do not run with others', () => {
    const stage = new Stage(1);
    for (const [name, atMs] of [
      ['exit0', 0],
      ['exit1', 100],
    ] as const) {
      stage.patient(name, atMs);
      stage.lose(name, atMs + 1);
      stage.replace(atMs + 2);
      if (name === 'exit1') for (const waiting of ['p1', 'p2']) stage.patient(waiting, 102);
      stage.usual('a', atMs + 2);
      stage.lose(name, atMs + 3);
      stage.replace(atMs + 4);
      stage.finish(atMs + 14);
      if (name === 'exit0') stage.drop(20);
    }
    expect(stage.log(/run/).slice(-2)).toEqual(['104 run 0 [a]', '114 run 0 [p1]']);
  });

  it('take no places of the queue; if too many wait, the most patient leaves', () => {
    const stage = new Stage(2, { maxQueueLength: 3 }).attacked();
    stage.patient('p0', 300);
    for (const [name, timeoutMs] of [
      ['p1', 60_001],
      ['p2', 60_003],
      ['p3', 60_002],
      ['p4', 60_000],
      ['p5', 60_004],
    ] as const)
      stage.bench.arrive(name, 300, 300 + timeoutMs);
    expect(stage.log()).toEqual(['300 run 0 [p0]', '300 drop p2 queue-full', '300 drop p5 queue-full']);
    for (const name of ['a', 'b', 'c', 'd']) stage.usual(name, 301);
    expect(stage.log()).toEqual(['301 run 0 [a]']);
    stage.finish(311);
    expect(stage.log()).toEqual(['311 run 0 [b c d]', '311 run 0 [p4]']);
    expect(stage.bench.scheduler.queueLength(0)).toBe(2);
  });

  it('are not run again if they end a replica alone, soon after another loss', () => {
    const stage = new Stage(2).attacked();
    stage.patient('p', 300);
    stage.lose('p', 301);
    expect(stage.log()).toEqual(['300 run 0 [p]', '301 fail p lost']);
  });

  it('run again after a single loss, isolated', () => {
    const stage = new Stage(2).attacked();
    stage.patient('p', 20_000);
    stage.usual('other', 20_000);
    stage.finish(20_010);
    stage.patient('p', 20_020);
    stage.lose('p', 20_021);
    expect(stage.log()).toEqual(['20000 run 0 [p]', '20000 run 0 [other]', '20020 run 0 [p]']);
    stage.replace(20_030);
    expect(stage.log()).toEqual(['20030 run 0 [p]']);
  });

  it('are found also among inputs that hang', () => {
    const stage = new Stage(2);
    for (const [name, atMs] of [
      ['hang1', 0],
      ['hang2', 1_000],
    ] as const) {
      stage.patient(name, atMs);
      stage.bench.scheduler.advance(atMs + 400);
      stage.replace(atMs + 401);
    }
    stage.drop(1_500);
    stage.usual('a', 1_540);
    stage.finish(1_550);
    stage.log();
    for (const name of ['p1', 'p2']) stage.patient(name, 1_600);
    expect(stage.log()).toEqual(['1600 run 0 [p1]']);
  });

  it('are quarantined on a server elsewhere only after a second hang, and are free if they complete', () => {
    const server = { urls: ['http://elsewhere:8080'], model: 'a', batching: 'single' } as const;
    const stages = one.stages.map((each) => ({
      ...each,
      variants: each.variants.map((variant) => ({ ...variant, server })),
    }));
    const stage = new Stage(2, { spec: { ...one, stages } }).attacked();
    const { scheduler } = stage.bench;
    for (const [name, atMs] of [
      ['p', 300],
      ['q', 2_000],
    ] as const) {
      stage.patient(name, atMs);
      scheduler.advance(atMs + 400);
      stage.replace(atMs + 401);
      if (name === 'p') stage.finish(atMs + 411);
      else scheduler.advance(atMs + 801);
    }
    expect(scheduler.quarantined(3_000).map(({ key }) => key)).toEqual(['q']);
    expect(stage.log()).toEqual([
      ...['300 run 0 [p]', '701 run 0 [p]', '2000 run 0 [q]', '2401 run 0 [q]', '2801 fail q stage 0 refuses it'],
    ]);
    stage.replace(3_000);
    stage.usual('other', 3_001);
    for (const name of ['p', 'q']) stage.patient(name, 3_001);
    expect(stage.log()).toEqual(['3001 run 0 [other]', '3001 run 0 [p]', '3001 fail q stage 0 refuses it']);
  });

  it('wait no longer once their requests have ended', () => {
    const stage = new Stage(2).attacked();
    stage.patient('p1', 300);
    const request = stage.bench.arrive('p2', 300, 300 + MINUTE_MS);
    stage.bench.scheduler.cancel(request, 301);
    expect(stage.bench.scheduler.queueLength(0)).toBe(0);
    stage.bench.arrive('p3', 302, 302 + MINUTE_MS);
    stage.bench.scheduler.advance(302 + MINUTE_MS);
    expect(stage.log(/drop p3/)).toHaveLength(1);
  });
});

it('all items of a request find a place, up to that of the queue', () => {
  const isolated = new IsolatedItems<undefined, undefined>();
  const requests = Array.from({ length: 33 }, (_, i) => requestOf(i));
  const push = (request: RequestState<undefined, undefined>): boolean =>
    isolated.push(new StageItem(request, { ...place, sequence: isolated.length }), 50) === undefined;
  expect(requests.map(push)).toEqual(requests.map((_, i) => i < 32));
  const [first] = requests as [RequestState<undefined, undefined>];
  expect(Array.from({ length: 20 }, () => push(first))).toEqual(Array.from({ length: 20 }, (_, i) => i < 18));
});

it('culprits make no request alike while the stage copes: a retry that finds no time is no drop', () => {
  const stage = new Stage(2);
  for (let i = 0; i < 4; i++) {
    const atMs = 100 * i;
    stage.bench.arrive(`exit${i}`, atMs, atMs + 50);
    stage.lose(`exit${i}`, atMs + 1);
    stage.replace(atMs + 2);
    stage.lose(`exit${i}`, atMs + 3);
    stage.replace(atMs + 4);
    stage.bench.arrive('other', atMs + 10, atMs + 40);
    stage.finish(atMs + 20);
  }
  stage.log();
  for (const name of ['a', 'b', 'c']) stage.patient(name, 500);
  stage.finish(510);
  expect(stage.log()).toEqual(['500 run 0 [a]', '500 run 0 [b]', '510 run 0 [c]']);
  stage.finish(515);
  stage.drop(520);
  stage.log();
  for (const name of ['d', 'e']) stage.patient(name, 560);
  expect(stage.log(/run/)).toEqual(['560 run 0 [d]']);
});

it('losses for other causes make no request alike', () => {
  const stage = new Stage(2);
  for (let i = 0; i < 20; i++) {
    stage.patient(`p${i}`, 1_000 * i);
    stage.lose(`p${i}`, 1_000 * i + 1);
    stage.replace(1_000 * i + 2);
    stage.finish(1_000 * i + 20);
    stage.drop(1_000 * i + 30);
    stage.usual('other', 1_000 * i + 70);
    stage.finish(1_000 * i + 80);
  }
  stage.log();
  for (const name of ['a', 'b', 'c']) stage.patient(name, 20_100);
  stage.finish(20_110);
  expect(stage.log()).toEqual(['20100 run 0 [a]', '20100 run 0 [b]', '20110 run 0 [c]']);
  for (const name of ['a', 'b', 'c', 'd']) stage.patient(name, 20_115);
  stage.finish(20_120);
  expect(stage.log().at(-1)).toMatch(/run 0 \[(b c d|c d)\]/);
});
