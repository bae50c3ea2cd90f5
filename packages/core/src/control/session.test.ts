import { describe, expect, it } from 'vitest';
import { stageId, variantId } from '../model/ids.js';
import { planOf } from '../model/spec-builders.test-support.js';
import { type ControllerState, newController } from './controller-state.js';
import { afterAdvice, afterAdvising, afterHandChange } from './session.js';
import { spec } from './step-bench.test-support.js';

const point = { stageId: stageId('detect'), variantId: variantId('small'), cpuCores: 1 };
const edges = { memories: [], inForce: [] };
const busy: ControllerState = {
  ...newController,
  edges,
  service: { measured: [], corrections: [{ ...point, batchSize: 1, factor: 1.5 }] },
  nextPlanAtMs: 20_000,
  planned: { arrivalRps: 10 },
  appliedAtMs: [5000],
  switches: [{ stageId: stageId('detect'), atMs: 5000 }],
  trial: {
    before: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
    beforeLoad: { arrivalRps: 9 },
    sinceMs: 5000,
    missedAtStart: 0,
  },
  backOff: { untilMs: 60_000, failures: 1 },
};

describe('advice', () => {
  it('leaves what was learned and when the next plan is due, and nothing of changes', () => {
    const before: ControllerState = { ...newController, planned: { arrivalRps: 3 } };
    const after = afterAdvice(before, busy);
    const { learning, service } = busy;
    expect(after).toEqual({ ...before, learning, service, edges, nextPlanAtMs: 20_000, planned: busy.planned });
  });

  it('is followed by a plan, and by no answer to a burst before, where changes are carried out again', () => {
    const { planned: _, ...rest } = busy;
    expect(afterAdvising(busy, 7000)).toEqual({ ...rest, nextPlanAtMs: 7000 });
  });
});

describe('a change by hand', () => {
  it('ends the trial of what the loop did last, and nothing else', () => {
    const { trial: _, ...rest } = busy;
    expect(afterHandChange(busy)).toEqual(rest);
  });

  it('ends that of what runs while a change is under way, too: a change that fails leaves no trial behind', () => {
    const beforeChange = { appliedAtMs: [], switches: [] };
    const { trial, ...rest } = busy;
    const changing = { ...busy, beforeChange: { ...beforeChange, ...(trial && { trial }) } };
    expect(trial).toBeDefined();
    expect(afterHandChange(changing)).toEqual({ ...rest, beforeChange });
  });
});
