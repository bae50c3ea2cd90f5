import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { type StageId, stageId } from '../model/ids.js';
import type { StagePlan } from '../model/plan.js';
import type { RunningReplica } from '../model/running-plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { deterministicArrivals } from './arrivals/constant-rate.js';
import type { ReplicaFault } from './replica-faults.js';
import { simulatePlan } from './simulate-plan.js';
import type { SimulatedController, SimulationInput } from './simulation-input.js';
import { simulationReport } from './simulation-report.js';

const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 50 }] });

function reportAt(arrivalRps: number, over: Partial<SimulationInput> = {}) {
  const rng = new SeededRng(1);
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 2 });
  const arrivals = deterministicArrivals(arrivalRps, 60_000);
  const setup = { spec, curves: requireCurves(spec, []), plan, arrivals, rng, hostCores: 2, drops: true };
  return simulationReport(spec, simulatePlan({ ...setup, accuracyOf: () => 0.8, ...over }));
}

describe('simulationReport', () => {
  it('gives what can be computed by hand for arrivals that never wait', () => {
    const report = reportAt(10);
    expect(report).toMatchObject({ requests: 600, completed: 600, dropped: {}, failed: 0, sloAttainmentFraction: 1 });
    expect(report.latencyMs.mean).toBeCloseTo(50);
    expect(report.goodputRps).toBeCloseTo(10, 1);
    expect(report.pasMean).toBeCloseTo(0.8);
    expect(report.pasGoodput).toBeCloseTo(0.8);
    expect(report.cpuCoresMean).toBeCloseTo(2);
    expect(report.costPerHourMean).toBeCloseTo(2);
    const stage = report.stages[stageId('a')];
    expect(stage).toMatchObject({ waitMs: { mean: 0 }, batchSizeMean: 1 });
    expect(stage?.loadFactor).toBeCloseTo(10 / 40, 2);
    expect(stage?.busyFraction).toBeCloseTo(0.25, 2);
  });

  it('counts drops as misses, in attainment and in accuracy', () => {
    const report = reportAt(80);
    const dropped = Object.values(report.dropped).reduce((sum, count) => sum + count, 0);
    expect(dropped).toBeGreaterThan(0);
    expect(report.completed + dropped).toBe(report.requests);
    expect(report.sloAttainmentFraction).toBeLessThan(0.6);
    expect(report.pasMean).toBeCloseTo(0.8);
    expect(report.pasGoodput).toBeCloseTo(0.8 * report.sloAttainmentFraction);
    expect(report.stages[stageId('a')]?.loadFactor).toBeCloseTo(2, 1);
  });

  it('measures until the last answer, however far the deadlines of the requests lie behind it', () => {
    const clients = { timeoutMs: () => 600_000, patienceMs: () => 900_000 };
    const report = reportAt(10, { clients });
    expect(report).toMatchObject({ requests: 600, completed: 600 });
    expect(report.goodputRps).toBeCloseTo(10, 1);
    const stage = report.stages[stageId('a')];
    expect(stage?.loadFactor).toBeCloseTo(10 / 40, 2);
    expect(stage?.busyFraction).toBeCloseTo(0.25, 2);
  });

  it('measures until the last answer, even if a replica becomes ready long after it', () => {
    const more = planOf(spec, { maxBatchSize: 1, replicas: 3 }).stages[stageId('a')]?.[0] as StagePlan;
    const controller: SimulatedController = {
      intervalMs: 50_000,
      loadMs: () => 600_000,
      decide: () => [{ kind: 'scale', stageId: stageId('a'), fromReplicas: 2, to: more }],
    };
    const report = reportAt(10, { controller, hostCores: 3 });
    expect(report.goodputRps).toBeCloseTo(10, 1);
    expect(report.cpuCoresMean).toBeCloseTo((2 * 50 + 3 * 10) / 60, 2);
  });

  it('measures until the last answer, even if a lost replica would have ended its batch long after it', () => {
    const faultsOf = (_: StageId, { replicaId }: RunningReplica): readonly ReplicaFault[] =>
      replicaId.endsWith('-1')
        ? [
            { kind: 'slow', fromMs: 59_000, untilMs: 70_000, factor: 12_000 },
            { kind: 'crash', atMs: 59_960 },
          ]
        : [];
    const report = reportAt(10, { faults: { startFails: () => false, faultsOf } });
    expect(report.completed + report.failed).toBe(600);
    expect(report.goodputRps).toBeCloseTo(10, 0);
    // The lost batch ran for at most a second.
    expect(report.stages[stageId('a')]?.busyFraction).toBeCloseTo(0.25, 1);
  });

  it('measures until the end of the load, if the last requests come earlier', () => {
    const report = reportAt(0.02, { loadEndsAtMs: 120_000 });
    expect(report).toMatchObject({ requests: 2, completed: 2 });
    expect(report.goodputRps).toBeCloseTo(2 / 120, 6);
    expect(report.cpuCoresMean).toBeCloseTo(2);
  });

  it('ticks until the end of the load, if the last requests come earlier', () => {
    const fewer = planOf(spec, { maxBatchSize: 1, replicas: 1 }).stages[stageId('a')]?.[0] as StagePlan;
    const controller: SimulatedController = {
      intervalMs: 10_000,
      loadMs: () => 0,
      decide: ({ nowMs }) =>
        nowMs === 90_000 ? [{ kind: 'scale', stageId: stageId('a'), fromReplicas: 2, to: fewer }] : undefined,
    };
    const report = reportAt(10, { controller, loadEndsAtMs: 120_000 });
    expect(report).toMatchObject({ requests: 600, completed: 600 });
    expect(report.cpuCoresMean).toBeCloseTo((2 * 90 + 30) / 120, 2);
  });

  it('leaves out what happens before the measured time', () => {
    const report = reportAt(10, { measureFromMs: 30_000 });
    expect(report.requests).toBe(300);
    expect(report.goodputRps).toBeCloseTo(10, 1);
    expect(report.stages[stageId('a')]?.busyFraction).toBeCloseTo(0.25, 2);
  });
});
