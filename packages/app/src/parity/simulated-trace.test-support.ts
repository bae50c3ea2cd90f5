import { diffPlans } from '@equipoise/core/control';
import { SeededRng } from '@equipoise/core/model';
import { simulatePlan } from '@equipoise/core/simulate';
import { believedAt, type Scenario } from './scenario.test-support.js';
import { type Trace, TraceWriter } from './trace.test-support.js';

/** Runs a scenario in the simulator. */
export function simulatedTrace(scenario: Scenario): Trace {
  const { spec, curves, plan, arrivals, hostCores, nextPlans, tickMs, loadMs, faults, clients, drainsAtMs } = scenario;
  const trace = new TraceWriter();
  let arrived = 0;
  let ticks = 0;
  let nowMs = 0;
  simulatePlan({
    spec,
    curves,
    plan,
    hostCores,
    drops: true,
    arrivals: { nextAtMs: () => arrivals[arrived++] },
    rng: new SeededRng(scenario.seed),
    controller: {
      intervalMs: tickMs,
      decide: (view) => {
        const { runningPlan, failedTotal = 0 } = view.observe();
        trace.failedAtTicks.push(failedTotal);
        const next = nextPlans[ticks++];
        return next === undefined ? [] : diffPlans(runningPlan, next, spec);
      },
      loadMs,
      expectedCurves: () => believedAt(scenario, ticks),
    },
    ...(faults && { faults }),
    ...(clients && { clients }),
    ...(drainsAtMs === undefined ? {} : { drainsAtMs }),
    onFleet: (running, atMs) => {
      nowMs = atMs;
      trace.runs(running, nowMs);
    },
    onBatch: ({ replicaId, batch }, at) => {
      trace.batch(
        at.nowMs,
        replicaId,
        at.serviceMs,
        batch.map(({ payload }) => payload),
      );
    },
    onEnd: ({ sequence, outcome, arrivedAtMs, endedAtMs, missing }) => {
      trace.end(endedAtMs, arrivedAtMs, outcome);
      trace.outcome(sequence, endedAtMs, outcome === 'completed' && missing > 0 ? `partial ${missing}` : outcome);
    },
  });
  trace.close();
  return trace;
}
