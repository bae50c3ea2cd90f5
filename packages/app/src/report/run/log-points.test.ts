import { type DecisionRecord, replicaId, stageId, variantId } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { START_EPOCH_MS, sampleDecision } from '../sample-run.test-support.js';
import { logPoints } from './log-points.js';

const a = stageId('a');

function record(
  id: number,
  seen: { readonly arrivals: readonly number[]; readonly droppedTotal: number },
): DecisionRecord {
  const base = sampleDecision(id, 'p', 'a');
  const replica = (status: 'ready' | 'draining' | 'failed') => ({
    ...{ replicaId: replicaId(`a-${status}`), variantId: variantId('v'), status },
    resources: { cpuCores: 0.5, memoryBytes: 0, gpus: 0 },
  });
  return {
    ...base,
    atEpochMs: START_EPOCH_MS + 10_000 * id,
    observation: {
      ...base.observation,
      load: { arrivalsPerSecond: seen.arrivals },
      stages: { [a]: { queueLength: 7, droppedTotal: seen.droppedTotal } },
      runningPlan: {
        stages: {
          [a]: {
            replicas: [replica('ready'), replica('draining'), replica('failed')],
            maxBatchSize: 4,
            maxBatchWaitMs: 0,
          },
        },
      },
    },
  };
}

const records = [
  record(1, { arrivals: [4, 6], droppedTotal: 0 }),
  record(2, { arrivals: [...new Array(20).fill(99), ...new Array(10).fill(3)], droppedTotal: 20 }),
  record(3, { arrivals: [], droppedTotal: 5 }),
];
/** Without the end of the last observed time. */
const decisionPoints = (log: readonly DecisionRecord[]) => logPoints(log).slice(0, log.length);
const points = decisionPoints(records);

it('has the mean rate since the decision before, and drops per second, also after a restart', () => {
  expect(points.map(({ arrivalRps }) => arrivalRps)).toEqual([5, 3, 0]);
  expect(points.map(({ stages }) => stages['a']?.droppedRps)).toEqual([0, 2, 0.5]);
});

it('counts by the clock of the loop if that of the machine was set back', () => {
  const backBy = (backMs: number, atMs: number) => (each: DecisionRecord, i: number) => ({
    ...each,
    atEpochMs: each.atEpochMs - (i > 0 ? backMs : 0),
    observation: { ...each.observation, atMs: i * atMs },
  });
  const dropsOf = (log: readonly DecisionRecord[]) => decisionPoints(log).map(({ stages }) => stages['a']?.droppedRps);
  expect(dropsOf(records.map(backBy(3_600_000, 5000)))).toEqual([0, 4, 0.5]);
  expect(dropsOf(records.map(backBy(3_600_000, 0)))).toEqual([0, 2, 0.5]);
});

it('has the replicas, their cores and the queue', () => {
  expect(points[0]?.stages['a']).toMatchObject({
    ...{ queueLength: 7, batchLimit: 4, cpuCores: 1 },
    replicas: { ready: 1, starting: 0, draining: 1, unhealthy: 1 },
  });
});

it('has the cores of the observed replicas, also before the first plan', () => {
  expect(points.map(({ cpuCores }) => cpuCores.planned)).toEqual([0.5, 0.5, 0.5]);
});

it('takes advice for no plan in force', () => {
  const advised = records.map(({ outcome: _, ...each }) => ({ ...each, mode: 'advise' as const }));
  expect(decisionPoints(advised).map(({ accuracy, cost }) => [accuracy, cost])).toEqual(
    new Array(3).fill([undefined, undefined]),
  );
  const replayed = records.map(({ outcome: _, mode: __, ...each }) => each);
  expect(logPoints(replayed)[1]?.accuracy).toBe(0.8123);
});

it('has the plan in force before each decision', () => {
  expect(points.map(({ accuracy }) => accuracy)).toEqual([undefined, 0.8123, 0.8123]);
  const failed = { ...records[0], outcome: { kind: 'failed', step: 'apply', message: 'x' } } as DecisionRecord;
  expect(logPoints([failed, ...records.slice(1)])[1]?.accuracy).toBeUndefined();
});

it('has what was observed after the last decision at the end of that time', () => {
  const end = logPoints(records).at(-1);
  expect(end).toMatchObject({
    ...{ atEpochMs: START_EPOCH_MS + 90_000, arrivalRps: 21.7, accuracy: 0.8123 },
    ...{ p50Ms: 64.2, p99Ms: 231.9, completedRps: 21.5, failedRps: 0, drops: { dropped: 0.2 } },
  });
  expect(end?.lateRps).toBeCloseTo((1290 - 0.991 * 1302) / 60);
});

it('has what was observed at the first decision after that time', () => {
  const decided = (s: number, windowS: number, completed: number): DecisionRecord => {
    const { outcome: _, ...base } = sampleDecision(1, 'p', 'a');
    const observed = { windowMs: 1000 * windowS, arrivalRps: 7, completed, failed: 0, dropped: 0 };
    return { ...base, atEpochMs: START_EPOCH_MS + 1000 * s, observed };
  };
  const shown = (log: readonly DecisionRecord[]) =>
    logPoints(log).map(({ atEpochMs, completedRps }) => [(atEpochMs - START_EPOCH_MS) / 1000, completedRps]);
  const first = decided(0, 10, 100);
  expect(shown([first, decided(10, 60, 600), decided(20, 60, 1200), decided(70, 30, 90)])).toEqual([
    ...[
      [0, undefined],
      [10, 10],
      [20, undefined],
      [70, 10],
    ],
    [100, 3],
  ]);
  expect(shown([first, decided(-3600, 10, 50)])).toEqual([
    [0, undefined],
    [-3600, 10],
    [-3590, 5],
  ]);
});
