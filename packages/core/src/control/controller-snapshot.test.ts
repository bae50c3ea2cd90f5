import { describe, expect, it } from 'vitest';
import { initialLearning, learnedForecast, learningSnapshot, observeLoad } from '../forecast/learning/load-learning.js';
import { forecastMethods } from '../forecast/methods/forecast-methods.js';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { agedSnapshot, controllerSnapshot, resumeController, snapshotDelta } from './controller-snapshot.js';
import { type ControllerState, newController } from './controller-state.js';
import { noStarts } from './feedback/profile-feedback.js';
import { type ControllerRules, controlPolicies } from './rules.js';

const spec = smallOrLargeSpec();
const curves = requireCurves(spec, []);
const methods = forecastMethods.filter(({ name }) => ['last-value', 'window-max', 'ewma'].includes(name));
const rules: ControllerRules = {
  ...{ spec, curves, profiles: [], policy: controlPolicies.equipoise, forecaster: smoothedRate },
  verifierAt: verifiersOf({ spec, curves, hostCores: 4, seed: 1 }),
  learning: { methods, seed: 1 },
};

const correction = {
  stageId: stageId('detect'),
  variantId: variantId('small'),
  cpuCores: 1,
  batchSize: 1,
  factor: 1.5,
};
const of = { stageId: stageId('detect'), variantId: variantId('small') };
const ratios = { ...of, cpuCores: 1 };
const measured = [{ ...ratios, sizes: [{ batchSize: 1, ratios: [1.5, 1.51] }] }];

/** A running controller with one trained forecaster. */
const historyRps = Array.from({ length: 400 }, (_, bin) => 10 + (bin % 7));
const taught = resumeController(
  {
    learning: {
      ...{ historyRps, fittedBins: 360, selected: 0, scores: [{ loss: 1, weight: 2 }] },
      forecasters: [{ method: methods[0]?.name ?? '', weights: { factor: 1.25 } }],
    },
  },
  rules,
);
const edge = {
  ...{ edge: 0, from: stageId('detect'), to: stageId('classify'), kind: 'fan-out' as const },
  ...{ value: 6, stated: 3, standardError: 0.1, outputs: 500 },
};
const nothing = { offered: 0, taken: 0, fanOuts: 0, items: 0 };
const full = { offered: 0, taken: 0, fanOuts: 100, items: 600 };
const edges = {
  memories: [{ blocks: [full], open: { ...nothing, fanOuts: 3, items: 9 }, openSinceMs: 9000 }],
  inForce: [edge],
};
const started = { ...of, startMs: [2000, 2500], atOnce: 3 };
const busy: ControllerState = {
  ...taught,
  starts: { startingSinceMs: { [replicaId('d-7')]: 9000 }, times: [started] },
  edges,
  service: { measured, corrections: [correction] },
  ...{ nextPlanAtMs: 20_000, planned: { arrivalRps: 10 }, appliedAtMs: [5000] },
  switches: [{ stageId: stageId('detect'), atMs: 5000 }],
  trial: {
    before: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
    beforeLoad: { arrivalRps: 9 },
    sinceMs: 5000,
    missedAtStart: 0,
  },
  backOff: { untilMs: 60_000, failures: 1 },
};

describe('what is kept of a controller', () => {
  it('comes back through JSON: what was taught and measured, and what the guardrails remember', () => {
    const kept = JSON.parse(JSON.stringify(controllerSnapshot(busy))) as ReturnType<typeof controllerSnapshot>;
    const resumed = resumeController(kept, rules);
    expect(resumed.service).toEqual(busy.service);
    expect(resumed.learning.historyRps).toEqual(historyRps);
    expect(resumed.learning.backtest?.entries[0]).toMatchObject({ weights: { factor: 1.25 } });
    expect(resumed.edges).toEqual({ memories: [{ blocks: [full], open: nothing }], inForce: [edge] });
    const { appliedAtMs, switches, trial, backOff } = busy;
    expect(resumed.starts).toEqual({ startingSinceMs: {}, times: [started] });
    const { learning, service, edges, starts } = resumed;
    expect(resumed).toEqual({
      ...newController,
      learning,
      service,
      edges,
      starts,
      appliedAtMs,
      switches,
      trial,
      backOff,
    });
  });

  it('is nothing of the load while nothing was taught, and a controller begins anew without it', () => {
    expect(controllerSnapshot(newController)).toEqual({ service: { measured: [], corrections: [] } });
    expect(resumeController({}, rules)).toEqual(newController);
    const { learning: _, ...unlearning } = rules;
    expect(resumeController(controllerSnapshot(busy), unlearning).learning).toEqual(initialLearning);
  });

  it('is news where corrections or forecasters are others, not where a batch more was measured', () => {
    expect(snapshotDelta(busy, busy)).toBeUndefined();
    const service = { measured, corrections: [] };
    expect(
      snapshotDelta({ ...busy, service: { measured: [], corrections: [{ ...correction }] } }, busy),
    ).toBeUndefined();
    expect(snapshotDelta({ ...busy, service }, busy)).toEqual({ service });
    const kept = controllerSnapshot(busy);
    expect(snapshotDelta({ ...busy, learning: { ...busy.learning, fittedBins: 361 } }, busy)).toEqual({
      learning: { ...kept.learning, fittedBins: 361 },
    });
    const { backtest: _, ...untaught } = busy.learning;
    expect(snapshotDelta(busy, { ...busy, learning: untaught })).toEqual({ learning: kept.learning });
  });

  it('is news where other fan-outs and branches are in force, and where a change was made or taken back', () => {
    const counted = { ...edges, memories: [{ blocks: [full, full], open: nothing }] };
    expect(snapshotDelta({ ...busy, edges: counted }, busy)).toBeUndefined();
    expect(snapshotDelta(busy, { ...busy, starts: noStarts })).toEqual({ starts: [started] });
    const { edges: _, ...before } = busy;
    expect(snapshotDelta({ ...busy, edges: counted }, before)).toEqual({ edges: counted });
    const { trial: __, ...passed } = busy;
    const { appliedAtMs, switches, backOff } = busy;
    expect(snapshotDelta(passed, busy)).toEqual({ guardrails: { appliedAtMs, switches, backOff } });
    expect(snapshotDelta(newController, passed)).toMatchObject({ guardrails: { appliedAtMs: [], switches: [] } });
  });
});

describe('what was kept, after a stop', () => {
  const forecasters = [{ method: 'last-value', weights: { upperFactor: 1.5 } }];
  const { learning: known } = controllerSnapshot(busy);
  const kept = { ...controllerSnapshot(busy), ...(known && { learning: { ...known, forecasters } }) };

  it('has learned forecasters wait, where the stop was longer than they look ahead, until they have seen two minutes again', () => {
    const after = (stoppedMs: number) => resumeController(agedSnapshot(kept, stoppedMs), rules).learning;
    const load = { arrivalsPerSecond: new Array<number>(120).fill(10) };
    expect(learnedForecast(after(20_000), load)).toBeDefined();
    const learningRules = { methods, seed: 1 };
    let learning = after(20_001);
    const foretellsAtS: number[] = [];
    for (let second = 1; second <= 140; second++) {
      const seen = { arrivalsPerSecond: new Array<number>(second).fill(10) };
      learning = observeLoad(learning, seen, 1000 * second, learningRules);
      if (learnedForecast(learning, seen) !== undefined) foretellsAtS.push(second);
      if (second === 60) expect(learningSnapshot(learning)?.waitsBins).toBeGreaterThan(0);
    }
    expect(foretellsAtS[0]).toBeGreaterThanOrEqual(120);
    expect(foretellsAtS[0]).toBeLessThanOrEqual(131);
    expect(learningSnapshot(learning)).not.toHaveProperty('waitsBins');
  });

  it('believes service times less, and those of what did not run not at all once they are old', () => {
    const many = { batchSize: 1, ratios: new Array<number>(100).fill(2) };
    const idle = { ...many, batchSize: 2, idleMs: 200_000 };
    const service = { measured: [{ ...ratios, sizes: [many, idle] }], corrections: [correction] };
    const after = (stoppedMs: number) => agedSnapshot({ service }, stoppedMs).service;
    expect(after(60_000)?.measured[0]?.sizes).toEqual([many, { ...idle, idleMs: 260_000 }]);
    expect(after(300_000)).toEqual({
      corrections: [correction],
      measured: [
        {
          ...ratios,
          sizes: [
            { ...many, ratios: new Array(20).fill(2) },
            { batchSize: 2, ratios: [], forgotten: 1 },
          ],
        },
      ],
    });
  });

  it('forgets counts of edges after two minutes, and not what is in force of them', () => {
    const twelve = { ...edges, memories: [{ blocks: Array.from({ length: 12 }, () => full), open: nothing }] };
    const after = (stoppedMs: number) => agedSnapshot({ edges: twelve }, stoppedMs).edges;
    expect(after(0)).toEqual(twelve);
    expect(after(70_000)?.memories).toEqual([{ blocks: Array.from({ length: 5 }, () => full), open: nothing }]);
    expect(after(3_600_000)).toEqual({ memories: [{ blocks: [], open: nothing }], inForce: [edge] });
  });
});
