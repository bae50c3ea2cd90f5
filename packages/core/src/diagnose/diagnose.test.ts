/** Windows written by hand. Simulated incidents are in `diagnose.full.test.ts`. */
import { describe, expect, it } from 'vitest';
import {
  type PipelineField,
  placeOf,
  placeOfEdge,
  placeOfStage,
  rowWidth,
  type StageField,
} from '../history/history-layout.js';
import type { ReplicaBlock } from '../history/replica-blocks.js';
import type { Decision } from '../model/decision.js';
import { replicaId, type StageId, stageId, variantId } from '../model/ids.js';
import type { EdgeSpec } from '../model/pipeline-spec.js';
import type { RunningStage } from '../model/running-plan.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { CaseFile, type DiagnosisInput } from './case-file.js';
import { diagnose } from './diagnose.js';
import { stagesAtOnset } from './stages-at-onset.js';

const spec = {
  ...chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }], b: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }] }),
  budget: { cpuCores: 8 },
};
const shape = { stageIds: [stageId('a'), stageId('b')], edges: spec.edges.length };
const SECONDS = 120;

type Figures = Partial<Record<PipelineField, number>>;

interface Second {
  readonly all?: Figures;
  readonly b?: Partial<Record<StageField, number>>;
}

const usualStage = {
  arrived: 50,
  batches: 50,
  items: 50,
  serviceMs: 500,
  expectedMs: 500,
  capacityRps: 100,
  ready: 1,
  batchLimit: 1,
};

function setStage(row: Float32Array, stage: number, fields: typeof usualStage, wobble: number): void {
  for (const [field, value] of Object.entries(fields)) {
    const varies = field === 'serviceMs' || field === 'arrived';
    row[placeOfStage(stage, field as StageField)] = varies ? value * wobble : value;
  }
}

/** Two minutes of 50 rps; `later` changes the last minute. */
function input(later: Second = {}, replicas: readonly ReplicaBlock[] = []): DiagnosisInput {
  const width = rowWidth(shape);
  const rows = new Float32Array(SECONDS * width);
  for (let second = 0; second < SECONDS; second++) {
    const isLater = second >= 60;
    // Small changes, so that no interval is empty.
    const wobble = 1 + 0.02 * Math.sin(second);
    const usual = { completed: 50, plannedCores: 2, budgetCores: 8, accuracy: 0.9, provisionedRps: 60 };
    // A plan answers ten seconds later.
    const planned = second < 70 && { accuracy: usual.accuracy };
    const all = { arrived: 50 * wobble, ...usual, ...(isLater && later.all), ...planned };
    for (const [field, value] of Object.entries(all)) rows[second * width + placeOf(field as PipelineField)] = value;
    for (const stage of [0, 1]) {
      const ofStage = { ...usualStage, ...(isLater && stage === 1 && later.b) };
      setStage(rows.subarray(second * width, (second + 1) * width), stage, ofStage, wobble);
    }
  }
  const atEpochMs = Float64Array.from({ length: SECONDS }, (_, i) => 1000 * (i + 1));
  return {
    ...{ fromEpochMs: 0, toEpochMs: 1000 * SECONDS, spec, profiles: [], hostCores: 8 },
    ...{ history: { shape, atEpochMs, rows }, replicas, decisions: [] },
  };
}

const lost = { completed: 30, 'deadline-unreachable': 20 };
/** Ten blocks of 50 batches, whose ln(service ÷ profile) have this mean and the standard deviation `spread`. */
const blocksOf = (name: string, log: number, spread = 0): readonly ReplicaBlock[] =>
  Array.from({ length: 10 }, (_, i) => {
    const mean = log + 0.01 * Math.sin(i);
    return {
      ...{ atEpochMs: 65_000 + 5000 * i, stageId: stageId('b'), variantId: variantId('v'), replicaId: replicaId(name) },
      ...{ batches: 50, items: 50, failedItems: 0, measured: 50 },
      ...{ logSum: 50 * mean, logSquares: 50 * (mean ** 2 + spread ** 2) },
    };
  });

/** Items for stage b, service times of it, and arrivals after the onset of mild harm; or batches that fail. */
interface Later {
  readonly items?: number;
  readonly serviceMs?: number;
  readonly arrived?: number;
  readonly fails?: boolean;
}

/** `capacityRps`: of the ready replicas of stage b during the harm; before it, they serve 100. */
interface Standing {
  readonly arrived: number;
  readonly provisioned: (second: number) => number;
  readonly capacityRps?: number;
}

const MILD_ONSET_S = 40;
/** Failed batches of this size are few, so that the worst part alone proves nothing. */
const LARGE_BATCH = 14;

/** Late requests of a second with 50: three of a hundred since the onset, and once many for five seconds. */
function lateAt(second: number): number {
  if (second < MILD_ONSET_S) return 0;
  return second >= 101 && second < 106 ? 8 : 1 + (second % 2);
}

/** Seconds with many and few arrivals take turns. */
const noise = (second: number): number => (second % 2 === 0 ? -0.5 : 0.5);

/** 50 requests of a second, of which some miss the SLO. */
function endedAt(second: number, fails: boolean) {
  const missed = lateAt(second);
  return fails ? { completed: 50 - missed, failed: missed, late: 0 } : { completed: 50, failed: 0, late: missed };
}

/** Two minutes of a chain with a fan-out to stage b. */
function mildHarm({ items = 100, serviceMs = 500, arrived = 50, fails = false }: Later): DiagnosisInput {
  const stageIds = ['a', 'b', 'c'].map(stageId);
  const [a, b, c] = stageIds as [StageId, StageId, StageId];
  const edges: readonly EdgeSpec[] = [
    { from: a, to: b, fanOut: { expected: 2 } },
    { from: b, to: c, join: 'all' },
  ];
  const points = [{ cpuCores: 1, batchSize: 1, meanMs: 5 }];
  const wide = { ...chainSpec({ a: points, b: points, c: points }), budget: { cpuCores: 8 }, edges };
  const wideShape = { stageIds, edges: edges.length };
  const width = rowWidth(wideShape);
  const rows = new Float32Array(SECONDS * width);
  for (let second = 0; second < SECONDS; second++) {
    const row = rows.subarray(second * width, (second + 1) * width);
    const isLater = second >= MILD_ONSET_S;
    const wobble = 1 + 0.02 * Math.sin(second);
    const usual = { plannedCores: 3, budgetCores: 8, provisionedRps: 60, accuracy: 0.9 };
    const all: Figures = {
      ...usual,
      arrived: (isLater ? arrived : 50) * (1 + noise(second)),
      ...endedAt(second, fails),
    };
    for (const [field, value] of Object.entries(all)) row[placeOf(field as PipelineField)] = value;
    for (const stage of [0, 2]) setStage(row, stage, usualStage, wobble);
    setStage(row, 1, isLater ? { ...usualStage, serviceMs } : usualStage, wobble);
    row[placeOfStage(1, 'batches')] = 50 / LARGE_BATCH;
    row[placeOfStage(1, 'failedItems')] = endedAt(second, fails).failed;
    row[placeOfEdge(wideShape, 0, 'fanOuts')] = 50;
    row[placeOfEdge(wideShape, 0, 'items')] = (isLater ? items : 100) * wobble;
  }
  return { ...input(), spec: wide, history: { ...input().history, shape: wideShape, rows } };
}

describe('the diagnosis of a window', () => {
  it('has no data outside of the history', () => {
    expect(diagnose({ ...input(), fromEpochMs: 500_000, toEpochMs: 600_000 })).toMatchObject({ verdict: 'no-data' });
  });

  it('judges no part of the window that the history lacks, such as one before the start or in the future', () => {
    const known = { fromEpochMs: 0, toEpochMs: 1000 * SECONDS };
    const asked = { fromEpochMs: -600_000, toEpochMs: 600_000 };
    expect(diagnose({ ...input(), ...asked })).toMatchObject({ verdict: 'healthy', ...known });
    expect(diagnose({ ...input({ all: lost }), ...asked })).toMatchObject({ verdict: 'incident', ...known });
    const within = { fromEpochMs: 10_500, toEpochMs: 50_000 };
    expect(diagnose({ ...input(), ...within })).toMatchObject(within);
  });

  it('finds nothing where the SLO is met and nothing deviates', () => {
    expect(diagnose(input())).toMatchObject({
      verdict: 'healthy',
      harm: { missed: 0, allowedFraction: expect.closeTo(0.01) },
    });
    expect(diagnose(input({ all: { completed: 50, 'deadline-passed': 0.2 } }))).toMatchObject({ verdict: 'healthy' });
  });

  it.each<[string, string, string | undefined, Second]>([
    ['more requests', 'overload', 'b', { all: { ...lost, arrived: 120 }, b: { arrived: 120, dropped: 20 } }],
    [
      'more requests that the loop does not see',
      'stale-source',
      undefined,
      { all: { ...lost, arrived: 120, staleSignals: 1 }, b: { arrived: 120, dropped: 20 } },
    ],
    ['longer batches', 'wrong-profile', 'b', { all: lost, b: { dropped: 20, serviceMs: 1500 } }],
    ['failing batches', 'failing-variant', 'b', { all: { completed: 30, failed: 20 }, b: { failedItems: 20 } }],
    [
      'a smaller budget',
      'budget',
      undefined,
      { all: { ...lost, budgetCores: 2 }, b: { dropped: 20, capacityRps: 40 } },
    ],
    ['clients that leave', 'client', undefined, { all: { completed: 30, cancelled: 20, clientMissed: 20 } }],
    ['nothing that explains it', 'unknown', 'b', { all: lost, b: { dropped: 20 } }],
  ])('blames %s', (_, cause, stage, later) => {
    const card = diagnose(input(later));
    expect(card).toMatchObject({ verdict: 'incident', cause, harmful: true, harm: { missed: 1200 } });
    if (card.verdict !== 'incident') return;
    expect(card.stageId).toBe(stage);
    expect(card.episode).toEqual({ fromEpochMs: 60_000, toEpochMs: 120_000 });
    expect(card.firstSignal.atEpochMs).toBeGreaterThanOrEqual(60_000);
    expect(card.firstSignal.atEpochMs).toBeLessThanOrEqual(63_000);
  });

  it('blames a plain rise for misses that chance may explain, and only with that', () => {
    const missed = (arrived: number, each: number) => {
      const given = input();
      const width = rowWidth(shape);
      for (let second = 80; second < SECONDS; second++) {
        const lost = second < 83 ? each : 0;
        for (const [field, value] of Object.entries({ arrived, completed: arrived - lost, 'queue-full': lost }))
          given.history.rows[second * width + placeOf(field as PipelineField)] = value;
      }
      return diagnose(given);
    };
    expect(missed(120, 40)).toMatchObject({ verdict: 'incident', cause: 'overload', harm: { missed: 120 } });
    expect(missed(50, 25)).toMatchObject({ verdict: 'healthy', text: expect.stringContaining('more by chance') });
  });

  it('names a plainly slow replica also if misses elsewhere are more than allowed by chance', () => {
    const slow = [...blocksOf('b-1', 0, 0.15), ...blocksOf('b-2', Math.log(4), 0.15)];
    const given = input({}, slow);
    for (let second = 20; second < 23; second++)
      for (const [field, value] of Object.entries({ completed: 25, 'queue-full': 25 }))
        given.history.rows[second * rowWidth(shape) + placeOf(field as PipelineField)] = value;
    expect(diagnose(given)).toMatchObject({ cause: 'slow-replica', replicaId: 'b-2', harm: { missed: 75 } });
    expect(diagnose({ ...given, replicas: [] })).toMatchObject({ verdict: 'healthy' });
  });

  it('compares with the plan if there is no time before the harm', () => {
    const given = input({ all: { ...lost, arrived: 120 }, b: { arrived: 120, dropped: 20 } });
    const width = rowWidth(shape);
    const { atEpochMs, rows } = given.history;
    for (let second = 60; second < SECONDS; second++)
      rows[second * width + placeOf('arrived')] = second % 2 === 0 ? 100 : 140;
    const history = { shape, atEpochMs: atEpochMs.slice(60), rows: rows.slice(60 * width) };
    expect(diagnose({ ...given, history })).toMatchObject({
      ...{ verdict: 'incident', cause: 'overload', stageId: 'b' },
      evidence: [{ measured: expect.closeTo(120, 0), expected: expect.closeTo(60, 3) }, {}],
    });
  });

  it.each<[string, string, Standing]>([
    ['beyond the plan', 'overload', { arrived: 120, provisioned: () => 60 }],
    ['within the plan', 'unknown', { arrived: 120, provisioned: () => 130 }],
    ['hardly beyond the plan', 'unknown', { arrived: 62, provisioned: () => 60 }],
    [
      'beyond a plan whose successor still starts',
      'overload',
      { arrived: 120, provisioned: (at) => (at < 30 ? 60 : 130) },
    ],
    [
      'within a plan whose replicas were lost',
      'unknown',
      { arrived: 90, provisioned: (at) => (at < 30 ? 60 : 130), capacityRps: 80 },
    ],
  ])('compares a load that began long before the harm with the plan: %s', (_, cause, standing) => {
    const { arrived, provisioned, capacityRps = 100 } = standing;
    const later = { all: lost, b: { arrived, dropped: 20, capacityRps } };
    const text = /^1[12]\d\.\d rps arrive, more than the 60\.0 rps that the plan was made for$/;
    const withRates = (given: DiagnosisInput) => {
      for (let second = 0; second < SECONDS; second++) {
        const row = given.history.rows.subarray(second * rowWidth(shape), (second + 1) * rowWidth(shape));
        row[placeOf('arrived')] = arrived * (1 + 0.02 * Math.sin(second));
        row[placeOf('provisionedRps')] = provisioned(second);
      }
      return given;
    };
    expect(diagnose(withRates(input(later)))).toMatchObject({
      ...{ verdict: 'incident', cause, stageId: 'b' },
      ...(cause === 'overload' && {
        summary: expect.stringMatching(text),
        evidence: [{ expected: expect.closeTo(60, 3) }, {}],
      }),
    });
    // The same load did no harm before, so it explains what nothing else does.
    const slow = [...blocksOf('b-1', 0), ...blocksOf('b-2', 0), ...blocksOf('b-3', Math.log(2.5))];
    expect(diagnose(withRates(input(later, slow)))).toMatchObject({ cause: 'slow-replica' });
  });

  it('compares with the last calm stretch if harm comes now and then before it lasts', () => {
    const given = input({ all: { arrived: 120, completed: 120 }, b: { arrived: 120 } });
    for (let second = 60; second < SECONDS; second++) {
      const row = second * rowWidth(shape);
      if (second < 90 && second % 10 > 0) continue;
      const missed = second < 90 ? 13 : 30;
      for (const [field, value] of Object.entries({ completed: 120 - missed, 'queue-full': missed }))
        given.history.rows[row + placeOf(field as PipelineField)] = value;
    }
    expect(diagnose(given)).toMatchObject({
      ...{ verdict: 'incident', cause: 'overload' },
      evidence: [{ measured: expect.closeTo(120, 0), expected: expect.closeTo(50, 0) }, {}],
    });
  });

  it.each<[string, string, Later]>([
    ['a grown fan-out', 'fan-out', { items: 150 }],
    ['longer batches', 'wrong-profile', { serviceMs: 750 }],
    ['more requests', 'overload', { arrived: 90 }],
    ['failing batches', 'failing-variant', { fails: true }],
    ['nothing that changed', 'unknown', {}],
  ])('blames %s for mild harm that lasts, although its worst part takes five seconds', (_, cause, later) => {
    const card = diagnose(mildHarm(later));
    expect(card).toMatchObject({ verdict: 'incident', cause, harmful: true });
    if (card.verdict !== 'incident') return;
    expect(card.episode.toEpochMs - card.episode.fromEpochMs).toBeLessThan(10_000);
    if (cause === 'overload') expect(card.evidence[0]?.measured).toBeGreaterThan(85);
    else if (cause !== 'unknown') expect(card.stageId).toBe('b');
  });

  it('compares a rise with the plan over a minute, too, if it only does harm now and then', () => {
    const missed = (arrived: number) => {
      const given = input();
      for (let second = 60; second < SECONDS; second++) {
        const row = second * rowWidth(shape);
        const lost = second % 20 === 0 ? 25 : 0;
        for (const [field, value] of Object.entries({ arrived, staleSignals: 1, completed: arrived - lost }))
          given.history.rows[row + placeOf(field as PipelineField)] = value;
        given.history.rows[row + placeOf('queue-full')] = lost;
      }
      return diagnose(given);
    };
    // The plan carries 60 requests per second.
    expect(missed(68)).toMatchObject({ verdict: 'incident', cause: 'stale-source', harm: { missed: 75 } });
    expect(missed(60)).toMatchObject({ verdict: 'healthy' });
  });

  it.each([
    ['is as quick as before', 500, 'slow-replica'],
    ['is slow, too', 1500, 'unknown'],
  ])('blames the only replica, which hung, if its replacement %s', (_, serviceMs, cause) => {
    const given = input();
    const set = (second: number, field: StageField, value: number) => {
      given.history.rows[second * rowWidth(shape) + placeOfStage(1, field)] = value;
    };
    for (let second = 60; second < SECONDS; second++) {
      if (second >= 70) set(second, 'serviceMs', serviceMs);
      if (second >= 70) continue;
      for (const [field, value] of Object.entries({ completed: 0, 'deadline-passed': 50 }))
        given.history.rows[second * rowWidth(shape) + placeOf(field as PipelineField)] = value;
      for (const field of ['batches', 'items', 'serviceMs', 'expectedMs'] as const) set(second, field, 0);
      set(second, 'dropped', 50);
    }
    set(69, 'replacedSlow', 1);
    expect(diagnose(given)).toMatchObject({ verdict: 'incident', cause, stageId: 'b' });
  });

  it.each([
    ['fail', { completed: 0, failed: 50 }, { cause: 'failing-variant', stageId: 'b' }],
    ['are late', { completed: 50, late: 50 }, { cause: 'unknown' }],
  ])('blames a stage whose replicas hang one after the other if requests %s', (_, ended, expected) => {
    const given = input({ all: ended });
    for (let second = 60; second < SECONDS; second++)
      given.history.rows[second * rowWidth(shape) + placeOfStage(1, 'replacedSlow')] = second % 10 === 0 ? 1 : 0;
    expect(diagnose(given)).toMatchObject(expected);
  });

  it('does not blame a rise that the plan was made for', () => {
    const planned = { ...lost, provisionedRps: 130, arrived: 120 };
    const later = { all: planned, b: { arrived: 90, dropped: 20, serviceMs: 1500 } };
    const given = input(later);
    for (let second = 0; second < 60; second++)
      given.history.rows[second * rowWidth(shape) + placeOf('provisionedRps')] = 130;
    expect(diagnose(given)).toMatchObject({ cause: 'wrong-profile', stageId: 'b' });
    expect(diagnose(given)).not.toHaveProperty('runnerUp');
  });

  it('promises no plan where requests fail and no stage is to blame', () => {
    const card = diagnose(input({ all: { completed: 30, failed: 20 } }));
    expect(card).toMatchObject({ cause: 'unknown' });
    expect(card).not.toHaveProperty('counterfactual.text');
    expect(diagnose(input({ all: lost, b: { dropped: 20 } }))).toHaveProperty('counterfactual.text');
  });

  it('sees a burst of two seconds that outran the plan, and that the loop answered', () => {
    const given = input();
    const width = rowWidth(shape);
    const burst = [
      [150, 8],
      [275, 183],
      [92, 158],
      [33, 0],
      [62, 0],
    ] as const;
    for (const [i, [arrived, missed]] of burst.entries()) {
      const row = given.history.rows.subarray((80 + i) * width, (81 + i) * width);
      row[placeOf('arrived')] = arrived;
      row[placeOf('deadline-unreachable')] = missed;
      row[placeOfStage(1, 'arrived')] = arrived;
      row[placeOfStage(1, 'dropped')] = missed;
    }
    expect(diagnose(given)).toMatchObject({ verdict: 'incident', cause: 'overload', stageId: 'b' });
  });

  it('tells one slow replica from a wrong profile', () => {
    const slow = { all: lost, b: { dropped: 20, serviceMs: 1000 } };
    const one = [...blocksOf('b-1', 0), ...blocksOf('b-2', 0), ...blocksOf('b-3', Math.log(4))];
    expect(diagnose(input(slow, one))).toMatchObject({ cause: 'slow-replica', stageId: 'b', replicaId: 'b-3' });
    const all = ['b-1', 'b-2', 'b-3'].flatMap((name) => blocksOf(name, Math.log(2)));
    expect(diagnose(input(slow, all))).toMatchObject({ cause: 'wrong-profile', stageId: 'b' });
  });

  it('tells a slow replica from its only peer', () => {
    const slow = { all: lost, b: { dropped: 20, serviceMs: 1000 } };
    const pair = [...blocksOf('b-1', 0, 0.15), ...blocksOf('b-2', Math.log(2.5), 0.15)];
    expect(diagnose(input(slow, pair))).toMatchObject({ cause: 'slow-replica', stageId: 'b', replicaId: 'b-2' });
    const equal = [...blocksOf('b-1', Math.log(2), 0.15), ...blocksOf('b-2', Math.log(2), 0.15)];
    expect(diagnose(input(slow, equal))).toMatchObject({ cause: 'wrong-profile', stageId: 'b' });
  });

  it.each<[string, number, number, object]>([
    ['certain harm', 20, 1.3, { cause: 'wrong-profile', stageId: 'b' }],
    ['certain harm', 20, 1.05, { cause: 'unknown' }],
    ['harm that chance may explain', 0, 1.8, { cause: 'wrong-profile', stageId: 'b' }],
    ['harm that chance may explain', 0, 1.3, { verdict: 'healthy' }],
  ])('blames a stage that was slow before, too, for %s that nothing else explains', (_, each, factor, expected) => {
    const given = input(each === 0 ? {} : { all: lost, b: { dropped: each } });
    const width = rowWidth(shape);
    for (let second = 0; second < SECONDS; second++) {
      const row = given.history.rows.subarray(second * width, (second + 1) * width);
      row[placeOfStage(1, 'serviceMs')] = factor * 500 * (1 + 0.02 * Math.sin(second));
      if (each > 0 || second < 80 || second >= 83) continue;
      row[placeOf('completed')] = 25;
      row[placeOf('queue-full')] = 25;
    }
    expect(diagnose(given)).toMatchObject(expected);
  });

  it('takes no advice and no failed change for the plan in force', () => {
    const apply = (replicas: number, isUnapplied: boolean) => ({
      ...{ atEpochMs: 50_000 + replicas, isUnapplied },
      decision: { kind: 'apply', plan: { stages: { b: [{ replicas }] } }, evidence: {} } as unknown as Decision,
    });
    const file = (...decisions: DiagnosisInput['decisions']) =>
      new CaseFile({ ...input({ all: lost, b: { dropped: 20 } }), decisions });
    expect(stagesAtOnset(file(apply(1, false), apply(2, true)))).toEqual({ b: [{ replicas: 1 }] });
    expect(stagesAtOnset(file(apply(1, false), apply(2, false)))).toEqual({ b: [{ replicas: 2 }] });
    expect(stagesAtOnset(file(apply(1, true)))).toBeUndefined();
  });

  it('simulates the plan that ran when the harm began, although no decision changed it', () => {
    const slow = { all: lost, b: { dropped: 20, serviceMs: 1000 } };
    const one = [...blocksOf('b-1', 0), ...blocksOf('b-2', 0), ...blocksOf('b-3', Math.log(4))];
    const running = (name: string, count: number): RunningStage => ({
      replicas: Array.from({ length: count }, (_, i) => ({
        ...{ replicaId: replicaId(`${name}-${i + 1}`), variantId: spec.stages[0]?.variants[0]?.id ?? variantId('v') },
        ...{ resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, status: 'ready' },
      })),
      ...{ maxBatchSize: 1, maxBatchWaitMs: 0 },
    });
    const runningPlan = { stages: { [stageId('a')]: running('a', 2), [stageId('b')]: running('b', 3) } };
    const decision = { kind: 'hold', reason: 'r', evidence: {} } as unknown as Decision;
    const decisions = [{ atEpochMs: 65_000, decision, runningPlan }];
    expect(diagnose({ ...input(slow, one), decisions })).toMatchObject({
      counterfactual: { holds: true, text: expect.stringMatching(/^with b-3 as quick as its peers, the running plan/) },
    });
  });

  it('reports a plainly slow replica, even if the SLO is met', () => {
    const one = [...blocksOf('b-1', 0), ...blocksOf('b-2', 0), ...blocksOf('b-3', Math.log(4))];
    expect(diagnose(input({}, one))).toMatchObject({ verdict: 'incident', harmful: false, cause: 'slow-replica' });
    expect(diagnose(input({}, [...blocksOf('b-1', 0), ...blocksOf('b-2', 0.1)]))).toMatchObject({ verdict: 'healthy' });
  });

  it('tells when a slow replica became slow, and when replicas were replaced, even if the SLO is met', () => {
    const [early, late] = [blocksOf('b-3', 0).slice(0, 6), blocksOf('b-3', Math.log(4)).slice(6)];
    const card = diagnose(input({}, [...blocksOf('b-1', 0), ...blocksOf('b-2', 0), ...early, ...late]));
    expect(card).toMatchObject({ harmful: false, firstSignal: { atEpochMs: 90_000, stageId: 'b' } });
    const hung = input({});
    hung.history.rows[70 * rowWidth(shape) + placeOfStage(1, 'ready')] = 3;
    hung.history.rows[70 * rowWidth(shape) + placeOfStage(1, 'replacedSlow')] = 1;
    expect(diagnose(hung)).toMatchObject({ harmful: false, firstSignal: { atEpochMs: 71_000 } });
  });

  it('reports replicas that the server replaced because they hung, unless all of them did', () => {
    const hung = { b: { ready: 3, replacedSlow: 1 / 60 } };
    expect(diagnose(input(hung))).toMatchObject({
      verdict: 'incident',
      harmful: false,
      cause: 'slow-replica',
      stageId: 'b',
      summary: expect.stringContaining('replaced'),
    });
    expect(diagnose(input({ b: { ready: 1, replacedSlow: 1 } }))).toMatchObject({ verdict: 'healthy' });
  });

  it.each<[string, object, Figures]>([
    ['a rise beyond the plan', { cause: 'overload' }, { arrived: 120, completed: 120, accuracy: 0.7 }],
    ['a smaller budget', { cause: 'budget' }, { budgetCores: 1, plannedCores: 1, accuracy: 0.7 }],
    ['a rise that the plan carries', { verdict: 'healthy' }, { arrived: 60, completed: 60, accuracy: 0.7 }],
    ['a rise without a price', { verdict: 'healthy' }, { arrived: 120, completed: 120 }],
    ['a smaller budget that the plan fits', { verdict: 'healthy' }, { budgetCores: 3, accuracy: 0.7 }],
    ['a smaller budget without a price', { verdict: 'healthy' }, { budgetCores: 1 }],
  ])('asks what the loop paid if the SLO is met: %s', (_, expected, all) => {
    const card = diagnose(input({ all }));
    expect(card).toMatchObject(expected);
    if (card.verdict !== 'incident') return;
    expect(card).toMatchObject({ harmful: false, summary: expect.stringContaining('less accurate variants') });
    expect(card.evidence).toContainEqual(
      expect.objectContaining({ measured: expect.closeTo(0.7), expected: expect.closeTo(0.9) }),
    );
  });

  it('names the strongest suspect and says why it is not the next one', () => {
    const card = diagnose(input({ all: { ...lost, arrived: 70 }, b: { arrived: 70, dropped: 20, serviceMs: 2000 } }));
    expect(card).toMatchObject({
      cause: 'wrong-profile',
      runnerUp: { cause: 'overload', against: expect.stringMatching(/explains 1\.[34]/) },
    });
  });

  it('simulates what would have helped', () => {
    const card = diagnose(input({ all: { ...lost, arrived: 120 }, b: { arrived: 120, dropped: 20 } }));
    expect(card).toMatchObject({
      counterfactual: {
        holds: true,
        text: expect.stringMatching(/with a plan of . cores, \d+ of \d+ requests miss the SLO/),
      },
    });
    const small = { ...input({ all: { ...lost, arrived: 900 }, b: { arrived: 900, dropped: 20 } }) };
    expect(diagnose(small)).toMatchObject({ counterfactual: { holds: false, budgetCores: expect.any(Number) } });
  });
});
