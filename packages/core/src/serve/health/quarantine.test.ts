import { describe, expect, it } from 'vitest';
import { replicaId } from '../../model/ids.js';
import { chainSpec } from '../../model/spec-builders.test-support.js';
import { Bench, one, points, type Replica } from '../scheduler-bench.test-support.js';
import { Quarantine } from './quarantine.js';

const watched = { watchReplicas: true };
const DEADLINE_MS = 5_000;
const limits = { serviceMs: 10, hungAfterMs: 250 };

/** Stage that takes 10 ms and hangs on `poison…`; no batch lasts longer than 250 ms. */
class Stage {
  readonly bench: Bench;
  readonly replicas: Replica[];

  constructor(replicas: number, maxBatchSize = 1, spec = one) {
    this.bench = new Bench(spec, watched);
    this.replicas = Array.from({ length: replicas }, () => this.bench.serve(0, { ...limits, maxBatchSize }));
  }

  arrive(name: string, nowMs: number): void {
    this.bench.arrive(name, nowMs, nowMs + DEADLINE_MS);
  }

  /** Ends every running batch without poison. */
  finish(nowMs: number): void {
    for (const replica of this.replicas) {
      if (replica.busy && !replica.batch.some(({ payload }) => payload.startsWith('poison')))
        this.bench.finish(replica, nowMs);
    }
  }

  /** Everything that happened since the last call. */
  log(): readonly string[] {
    return this.bench.log.splice(0);
  }

  hang(nowMs: number): void {
    this.bench.scheduler.advance(nowMs);
  }

  replace(nowMs: number): void {
    this.replicas.push(this.bench.serve(0, { ...limits, maxBatchSize: 4, nowMs }));
  }
}

describe('an input that hangs alone', () => {
  it('is never run again, and is refused at once for 10 minutes; others run', () => {
    const stage = new Stage(2);
    stage.arrive('poison', 0);
    stage.hang(250);
    expect(stage.log()).toEqual([
      ...['0 run 0 [poison]', '250 unfit r0 hung', 'quarantined poison at 0'],
      ...['250 fail poison stage 0 refuses it', 'drained r0'],
    ]);
    expect(stage.replicas[0]?.busy).toBe(false);
    expect(stage.bench.scheduler.issues(0)).toEqual({ opened: 0, failing: 0, slow: 0, hung: 1 });
    for (const name of ['poison', 'a', 'poison']) stage.arrive(name, 300);
    expect(stage.log()).toEqual([
      ...['300 fail poison stage 0 refuses it', '300 run 0 [a]', '300 fail poison stage 0 refuses it'],
    ]);
    stage.finish(310);
    stage.arrive('poison', 250 + 600_000);
    expect(stage.log().at(-1)).toBe('600250 run 0 [poison]');
  });

  it('is quarantined although its client has left', () => {
    const stage = new Stage(2);
    const request = stage.bench.arrive('poison', 0, DEADLINE_MS);
    stage.bench.scheduler.cancel(request, 100);
    stage.hang(250);
    stage.arrive('poison', 260);
    expect(stage.log().at(-1)).toBe('260 fail poison stage 0 refuses it');
  });

  it('takes no second replica with copies that waited', () => {
    const stage = new Stage(1);
    for (const name of ['poison', 'poison', 'a', 'poison']) stage.arrive(name, 0);
    stage.hang(250);
    stage.replace(251);
    expect(stage.log().filter((line) => /run|fail/.test(line))).toEqual([
      ...['0 run 0 [poison]', '250 fail poison stage 0 refuses it'],
      ...['251 fail poison stage 0 refuses it', '251 fail poison stage 0 refuses it', '251 run 0 [a]'],
    ]);
  });
});

describe('an input that hangs alone on a server elsewhere', () => {
  const server = { urls: ['http://elsewhere:8080'], model: 'a', batching: 'single' } as const;
  const ofServers = one.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({ ...variant, server })),
  }));
  const remote = (replicas: number) => new Stage(replicas, 1, { ...one, stages: ofServers });

  it('runs once more, and is free if it completes there', () => {
    const stage = remote(2);
    stage.arrive('a', 0);
    stage.hang(250);
    expect(stage.log()).toEqual(['0 run 0 [a]', '250 unfit r0 hung', 'drained r0', '250 run 0 [a]']);
    stage.finish(260);
    for (const name of ['a', 'a']) stage.arrive(name, 300);
    stage.finish(310);
    stage.finish(320);
    expect(stage.log().filter((line) => /fail|quarantined/.test(line))).toEqual([]);
    expect(stage.bench.scheduler.quarantined(330)).toEqual([]);
  });

  it('is quarantined if it hangs there, too', () => {
    const stage = remote(2);
    stage.arrive('poison', 0);
    stage.hang(250);
    stage.hang(500);
    const outcome = stage.log().filter((line) => /fail|quarantined/.test(line));
    expect(outcome).toEqual(['quarantined poison at 0', '500 fail poison stage 0 refuses it']);
    expect(stage.bench.scheduler.quarantined(510)).toHaveLength(1);
  });

  it('fails without a verdict if its deadline passes before', () => {
    const stage = remote(1);
    stage.bench.arrive('a', 0, 255);
    stage.hang(250);
    expect(stage.log().filter((line) => /fail|quarantined/.test(line))).toHaveLength(1);
    expect(stage.bench.scheduler.quarantined(260)).toEqual([]);
  });
});

it('tells of a batch at half of its bound, and when it has ended after all', () => {
  const stage = new Stage(2);
  for (const name of ['poison', 'a', 'b']) stage.arrive(name, 0);
  expect(stage.bench.wakes).toContain(125);
  stage.hang(124);
  expect(stage.bench.late).toEqual([]);
  stage.hang(125);
  expect(stage.bench.late).toEqual([
    ...[
      ['r0', true],
      ['r0', true],
    ],
  ]);
  stage.finish(130);
  expect(stage.bench.late.slice(2)).toEqual([['r0', false]]);
  stage.hang(250);
  expect(stage.bench.late).toHaveLength(3);
});

it.each([
  ['an only replica, in the ratio of its earlier batches', 1, 30, Number.POSITIVE_INFINITY, 500],
  ['an only replica, at most 2.5 times as much', 1, 100, Number.POSITIVE_INFINITY, 625],
  ['an only replica, up to the maximum', 1, 100, 400, 400],
  ['two replicas, up to the maximum', 2, 100, 400, 400],
])('grants more time on a busy machine to %s', (_, replicas, serviceMs, mostMs, hungAfterMs) => {
  const stage = new Stage(replicas);
  const times = { expectedServiceMs: [0, 10], hungAfterMs: [0, 250], hungAtMostMs: [0, mostMs] };
  stage.bench.scheduler.setPolicy(0, { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0, ...times }, 0);
  for (let nowMs = 0; nowMs < 40_000; nowMs += 200) {
    for (let i = 0; i < replicas; i++) stage.arrive('a', nowMs);
    stage.finish(nowMs + serviceMs);
  }
  stage.arrive('slow', 40_000);
  stage.hang(40_000 + hungAfterMs - 2);
  expect(stage.log().filter((line) => line.includes('unfit'))).toEqual([]);
  stage.hang(40_000 + hungAfterMs + 1);
  expect(stage.log()).toContain(`${40_000 + hungAfterMs + 1} unfit r0 hung`);
});

describe('a batch of several that hangs', () => {
  it('runs each of its inputs alone, once: one more hang finds the guilty one, and the others are answered', () => {
    const stage = new Stage(1, 4);
    stage.arrive('first', 0);
    for (const name of ['a', 'poison', 'b']) stage.arrive(name, 1);
    stage.finish(10);
    stage.log();
    stage.hang(260);
    stage.replace(261);
    stage.finish(270);
    stage.hang(520);
    stage.replace(521);
    stage.finish(530);
    expect(stage.log().filter((line) => /run|fail|done|quarantined/.test(line))).toEqual([
      ...['261 run 0 [a]', '270 done a>0', '270 run 0 [poison]'],
      ...['quarantined poison at 0', '520 fail poison stage 0 refuses it'],
      ...['521 run 0 [b]', '530 done b>0'],
    ]);
    expect(stage.bench.scheduler.retries(0)).toBe(3);
    expect(stage.bench.scheduler.issues(0).hung).toBe(2);
  });

  it('frees inputs that ended alone', () => {
    const stage = new Stage(1, 4);
    stage.arrive('first', 0);
    for (const name of ['a', 'poison']) stage.arrive(name, 1);
    stage.finish(10);
    stage.hang(260);
    stage.replace(261);
    stage.finish(270);
    stage.hang(520);
    stage.replace(521);
    stage.log();
    stage.arrive('c', 530);
    for (const name of ['a', 'd', 'poison']) stage.arrive(name, 531);
    stage.finish(540);
    expect(stage.log()).toEqual([
      ...['530 run 0 [c]', '531 fail poison stage 0 refuses it', '540 done c>0', '540 run 0 [a d]'],
    ]);
  });

  it('leaves half of the replicas to other inputs', () => {
    const stage = new Stage(3, 4);
    for (const name of ['x', 'y', 'z']) stage.arrive(name, 0);
    for (const name of ['poison1', 'poison2', 'a']) stage.arrive(name, 1);
    stage.bench.finish(stage.replicas[0] as Replica, 10);
    stage.finish(11);
    stage.log();
    stage.hang(260);
    stage.arrive('b', 261);
    expect(stage.log().filter((line) => line.includes('run'))).toEqual(['260 run 0 [poison1]', '261 run 0 [b]']);
  });

  it('fails its items if the stage may not run them again, and runs their inputs alone when they come again', () => {
    const spec = chainSpec({ a: points });
    const stages = spec.stages.map((only) => ({ ...only, idempotent: false }));
    const stage = new Stage(1, 4, { ...spec, stages });
    stage.arrive('first', 0);
    for (const name of ['a', 'poison']) stage.arrive(name, 1);
    stage.finish(10);
    stage.log();
    stage.hang(260);
    stage.replace(261);
    expect(stage.log().filter((line) => line.includes('fail'))).toEqual([
      ...['260 fail a stage 0 hangs', '260 fail poison stage 0 hangs'],
    ]);
    for (const name of ['b', 'c', 'a', 'poison']) stage.arrive(name, 300);
    stage.finish(310);
    stage.finish(320);
    stage.finish(330);
    expect(stage.log().filter((line) => line.includes('run'))).toEqual([
      ...['300 run 0 [b]', '310 run 0 [a]', '320 run 0 [c]', '330 run 0 [poison]'],
    ]);
  });

  it('runs a suspect alone until it has completed, also after the loss of its replica', () => {
    const stage = new Stage(1, 4);
    stage.arrive('first', 0);
    for (const name of ['a', 'x']) stage.arrive(name, 1);
    stage.finish(10);
    stage.hang(260);
    stage.replace(261);
    stage.finish(270);
    const { scheduler } = stage.bench;
    scheduler.loseReplica(stage.replicas[1] as Replica, 'crash', 280);
    stage.log();
    stage.replace(281);
    for (const name of ['x', 'b', 'c']) stage.arrive(name, 290);
    scheduler.loseReplica(stage.replicas[2] as Replica, 'crash', 300);
    stage.replace(301);
    stage.finish(310);
    stage.finish(320);
    expect(stage.log().filter((line) => /run|fail|done/.test(line))).toEqual([
      ...['290 run 0 [x]', '301 run 0 [b c]', '310 done b>0', '310 done c>0', '310 run 0 [x]', '320 done x>0'],
    ]);
  });

  it('has no more items run alone than the queue may have; the others fail', () => {
    const stage = new Stage(1, 4);
    stage.arrive('first', 0);
    for (const name of ['a', 'b', 'poison']) stage.arrive(name, 1);
    stage.finish(10);
    stage.bench.scheduler.setLimits({ maxQueueLength: 2, dropLate: true }, 11);
    stage.log();
    stage.hang(260);
    expect(stage.log().filter((line) => line.includes('fail'))).toEqual(['260 fail poison stage 0 hangs']);
    expect(stage.bench.scheduler.queueLength(0)).toBe(2);
  });

  it('in a canary proves nothing about an input: it runs at the replicas before', () => {
    const stage = new Stage(1);
    const { scheduler } = stage.bench;
    scheduler.openCanary(0, { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0, hungAfterMs: [0, 250] });
    scheduler.addReplica(0, { replicaId: replicaId('canary'), cpuCores: 1, inCanary: true }, 0);
    scheduler.setCanaryFraction(1);
    stage.arrive('a', 0);
    stage.hang(250);
    stage.finish(260);
    expect(stage.log().filter((line) => /run|done|quarantined/.test(line))).toEqual([
      ...['0 run 0 [a]', '250 run 0 [a]', '260 done a>0'],
    ]);
  });
});

describe('a quarantine', () => {
  it('keeps inputs by stage, and frees those of one', () => {
    const quarantine = new Quarantine();
    quarantine.convict(0, 'x', 0);
    quarantine.suspect(0, 'y', 0);
    quarantine.convict(1, 'x', 10);
    const verdicts = (nowMs: number) =>
      [0, 1].flatMap((stage) => ['x', 'y'].map((key) => quarantine.verdictOn(stage, key, nowMs)));
    expect(verdicts(20)).toEqual(['guilty', 'suspect', 'guilty', 'free']);
    expect(quarantine.list(20)).toEqual([
      { stage: 0, key: 'x', untilMs: 600_000 },
      { stage: 1, key: 'x', untilMs: 600_010 },
    ]);
    expect(quarantine.clear(0, 20)).toBe(1);
    expect(verdicts(20)).toEqual(['free', 'free', 'guilty', 'free']);
    expect([0, 1].map((stage) => quarantine.screens(stage, 20))).toEqual([false, true]);
    expect(verdicts(600_010)).toEqual(['free', 'free', 'free', 'free']);
    expect(quarantine.screens(1, 600_010)).toBe(false);
  });

  it('keeps at most 10,000 inputs, those used last', () => {
    const quarantine = new Quarantine();
    for (let i = 0; i < 10_000; i++) quarantine.convict(0, `${i}`, 0);
    quarantine.verdictOn(0, '0', 1);
    quarantine.convict(0, 'new', 1);
    expect(['0', '1', '2', 'new'].map((key) => quarantine.verdictOn(0, key, 2))).toEqual([
      ...['guilty', 'free', 'guilty', 'guilty'],
    ]);
    expect(quarantine.list(2)).toHaveLength(10_000);
  });
});
