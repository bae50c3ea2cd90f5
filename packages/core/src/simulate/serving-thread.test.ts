/** The serving thread as a resource: what it costs at rest, where it saturates, and that the fit finds its parameters. */
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import type { ServiceCorrection, ThreadCost } from '../model/service-correction.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { estimateStages } from '../optimize/search/estimate-stages.js';
import { isServiceCorrection, useClassCount } from '../profile/corrected-service.js';
import { fitThreadCost, type TurnInterval } from '../profile/fit-thread-cost.js';
import { spreadFractions } from '../profile/quantile-spread.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { simulatePlan } from './simulate-plan.js';

const known = (value: number) => ({ value, halfWidth: 0 });
const steady = spreadFractions.map(() => 1);

function threadOf(parts: Partial<Record<Exclude<keyof ThreadCost, 'spread' | 'pauses'>, number>>): ThreadCost {
  const { arrivalMs = 0, answerMs = 0, refusalMs = 0, hopMs = 0, itemMs = 0 } = parts;
  return {
    arrivalMs: known(arrivalMs),
    answerMs: known(answerMs),
    refusalMs: known(refusalMs),
    hopMs: known(hopMs),
    itemMs: known(itemMs),
    spread: steady,
  };
}

const correction = (thread?: ThreadCost): ServiceCorrection => ({
  handOverMs: known(0),
  inflation: known(0),
  loadInflation: known(0),
  contention: known(0),
  usual: { recentUse: 0.8, otherBatches: 0 },
  spread: Array.from({ length: useClassCount }, () => steady),
  bunching: { correlation: 0, memoryMs: 1 },
  usualFactor: 1,
  cpuFraction: 1,
  batches: 1000,
  ...(thread && { thread }),
});

const SERVICE_MS = 1;
const LOAD_MS = 6000;
const points = [{ cpuCores: 1, batchSize: 1, meanMs: SERVICE_MS }];
const spec = chainSpec({ a: points, b: points });

function curvesWith(of: ServiceCorrection) {
  const profiles = ['a', 'b'].map((id) => ({
    ...{ stageId: stageId(id), variantId: variantId('v'), points, loadMs: 0 },
    correction: of,
  }));
  return requireCurves(spec, profiles);
}

interface At {
  readonly arrivalRps: number;
  readonly replicas?: number;
  readonly drops?: boolean;
  readonly clientMs?: number;
}

function run(of: ServiceCorrection, { arrivalRps, replicas = 8, drops = false, clientMs = 0 }: At) {
  const latenciesMs: number[] = [];
  const ended: (readonly [number, string, number])[] = [];
  let longestQueueMs = 0;
  const rng = new SeededRng(3);
  const run = simulatePlan({
    spec,
    plan: planOf(spec, { maxBatchSize: 1, replicas }),
    curves: curvesWith(of),
    arrivals: poissonArrivals(arrivalRps, LOAD_MS, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops,
    clientMs,
    onEnd: ({ sequence, outcome, endedAtMs, latencyMs }) => {
      ended.push([sequence, outcome, endedAtMs]);
      if (latencyMs !== undefined) latenciesMs.push(latencyMs);
    },
    onQueueEmptied: (sinceMs, nowMs) => {
      longestQueueMs = Math.max(longestQueueMs, nowMs - sinceMs);
    },
  });
  return { latenciesMs, ended, longestQueueMs, endedAtMs: run.endedAtMs };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

describe('the serving thread of a simulation', () => {
  it('changes nothing if it takes no time', () => {
    const [with0, without] = [
      run(correction(threadOf({})), { arrivalRps: 300 }),
      run(correction(), { arrivalRps: 300 }),
    ];
    expect(with0.ended).toEqual(without.ended);
  });

  it('adds sending and answers of both stages to the latency of a request that is alone', () => {
    const { latenciesMs } = run(correction(threadOf({ arrivalMs: 5, answerMs: 5, hopMs: 0.4, itemMs: 0.2 })), {
      arrivalRps: 5,
    });
    // The request is read before it counts, and answered after.
    expect(median(latenciesMs)).toBeCloseTo(2 * (SERVICE_MS + 0.4 + 0.2), 6);
  });

  it('saturates at one request per sum of its work, however many replicas there are', () => {
    const work = { arrivalMs: 0.5, answerMs: 0.3, hopMs: 0.4, itemMs: 0.2 };
    const { latenciesMs, endedAtMs } = run(correction(threadOf(work)), { arrivalRps: 800, replicas: 32 });
    expect((latenciesMs.length / endedAtMs) * (0.5 + 0.3 + 2 * 0.6)).toBeCloseTo(1, 2);
  });

  it('tells how long turns wait for it, whatever the replicas do', () => {
    const longestQueueMs = (arrivalRps: number) =>
      run(correction(threadOf({ arrivalMs: 2 })), { arrivalRps, replicas: 1000 }).longestQueueMs;
    expect(longestQueueMs(100)).toBeLessThan(0.05 * LOAD_MS);
    expect(longestQueueMs(550)).toBeGreaterThan(0.5 * LOAD_MS);
  });

  it('counts clients on its core', () => {
    const { latenciesMs, endedAtMs } = run(correction(threadOf({ arrivalMs: 1 })), { arrivalRps: 800, clientMs: 1 });
    expect((latenciesMs.length / endedAtMs) * 2).toBeCloseTo(1, 2);
  });

  it('completes less the more it refuses', () => {
    const completed = (arrivalRps: number) =>
      run(correction(threadOf({ arrivalMs: 0.2, refusalMs: 0.2, hopMs: 0.2 })), {
        ...{ arrivalRps, replicas: 1, drops: true },
      }).latenciesMs.length;
    expect(completed(3000)).toBeLessThan(0.8 * completed(1100));
  });

  it('handles many waiting turns in little time', () => {
    const { latenciesMs } = run(correction(threadOf({ arrivalMs: 1 })), { arrivalRps: 5000, replicas: 32 });
    expect(latenciesMs.length).toBeGreaterThan(29_000);
  });

  it('is part of the mean that plans and estimates use', () => {
    const curve = curvesWith(correction(threadOf({ hopMs: 0.4, itemMs: 0.2 }))).curve(stageId('a'), variantId('v'), 1);
    expect(curve?.meanMs(1)).toBeCloseTo(SERVICE_MS + 0.6, 9);
  });

  it.each([100, 200, 300])('is estimated: capacity, and waits at %d rps', (arrivalRps) => {
    const work = { arrivalMs: 0.5, answerMs: 0.3, hopMs: 0.4, itemMs: 0.2 };
    const curves = curvesWith(correction(threadOf(work)));
    const { stages } = planOf(spec, { maxBatchSize: 1, replicas: 8 });
    const asked = { spec: { ...spec, slo: { ...spec.slo, percentile: 50 } }, curves };
    const { latencyMs, capacityRps } = estimateStages(asked, stages, arrivalRps);
    expect(capacityRps).toBeCloseTo(500, 6);
    expect(estimateStages(asked, stages, 500).latencyMs).toBe(Number.POSITIVE_INFINITY);
    const simulated = median(run(correction(threadOf(work)), { arrivalRps }).latenciesMs);
    expect(latencyMs / simulated).toBeGreaterThan(0.85);
    expect(latencyMs / simulated).toBeLessThan(1.25);
  });

  it.each([0.1, 1])('pauses as long in short turns as in long ones: a request of %d ms', (arrivalMs) => {
    const pauses = { perMs: 0.02 / arrivalMs, lengthsMs: spreadFractions.map(() => 40) };
    const { latenciesMs } = run(correction({ ...threadOf({ hopMs: arrivalMs }), pauses }), { arrivalRps: 5 });
    // The replica works during a pause that follows the sending.
    const longestMs = Math.max(...latenciesMs) - median(latenciesMs);
    expect(longestMs).toBeGreaterThan(40 - 2 * SERVICE_MS);
    expect(longestMs).toBeLessThan(41);
  });

  it('is estimated with its pauses: waits at 200 rps', () => {
    const work = { arrivalMs: 0.5, answerMs: 0.3, hopMs: 0.4, itemMs: 0.2 };
    const pauses = { perMs: 0.01, lengthsMs: spreadFractions.map(() => 8) };
    const of = correction({ ...threadOf(work), spread: spreadFractions.map(() => 0.92), pauses });
    const { stages } = planOf(spec, { maxBatchSize: 1, replicas: 8 });
    const waitsMs = (one: ServiceCorrection) =>
      estimateStages({ spec, curves: curvesWith(one) }, stages, 200).latencyMs;
    expect(waitsMs(of)).toBeGreaterThan(waitsMs(correction(threadOf(work))) + 0.2);
  });

  it('is checked when it is read', () => {
    const pauses = { perMs: 1, lengthsMs: steady };
    expect(isServiceCorrection(correction({ ...threadOf({}), pauses }))).toBe(true);
    expect(isServiceCorrection(correction({ ...threadOf({}), pauses: { ...pauses, lengthsMs: [] } }))).toBe(false);
    expect(isServiceCorrection({ ...correction(), pauses: { perMs: -1, lengthsMs: steady } })).toBe(false);
    expect(isServiceCorrection(correction(threadOf({ hopMs: 1 })))).toBe(true);
    expect(isServiceCorrection(correction({ ...threadOf({}), spread: [1] }))).toBe(false);
    expect(isServiceCorrection(correction(threadOf({ hopMs: -1 })))).toBe(false);
    expect(isServiceCorrection({ ...correction(), thread: {} })).toBe(false);
  });
});

describe('the fit of the work of the serving thread', () => {
  const truth = { arrivalMs: 0.2, answerMs: 0.3, refusalMs: 0.1, hopMs: 0.25, itemMs: 0.03 };
  const other = 0.5;

  /** Turns that take what they cost, by a factor of 0.6 to 1.4; one in 200 pauses for 10 ms. */
  function segment(seed: number): readonly TurnInterval[] {
    const rng = new SeededRng(seed);
    const batch = (id: string) => {
      const [of, batchSize] = [stageId(id), 1 + Math.floor(8 * rng.next())];
      return { stageId: of, variantId: variantId('v'), batchSize };
    };
    return Array.from({ length: 500 }, () => {
      const is = (probability: number) => (rng.next() < probability ? 1 : 0);
      const [arrivals, answers, refusals] = [is(0.3), is(0.25), is(0.1)];
      const batches = () => [...(is(0.5) ? [batch('a')] : []), ...(is(0.3) ? [batch('b')] : [])];
      const [sent, taken] = [batches(), batches()];
      const { arrivalMs, answerMs, refusalMs, hopMs, itemMs } = truth;
      const meanMs = [...sent, ...taken].reduce(
        (sum, { stageId: id, batchSize }) => sum + (id === 'a' ? hopMs : other) / 2 + (itemMs * batchSize) / 2,
        arrivals * arrivalMs + answers * answerMs + refusals * refusalMs,
      );
      const busyMs = meanMs * (0.6 + 0.8 * rng.next()) + (is(0.005) ? 10 : 0);
      return { busyMs, workedMs: busyMs, arrivals, answers, refusals, sent, taken };
    });
  }

  it.each([1, 2, 3])('finds its parts to a tenth and its sum, seed %i', (seed) => {
    const segments = Array.from({ length: 8 }, (_, index) => segment(10 * seed + index));
    const found = fitThreadCost(segments);
    expect(found.map((one) => one.stageId).sort()).toEqual(['a', 'b']);
    const [a, b] = ['a', 'b'].map((id) => found.find((one) => one.stageId === id)?.thread);
    const all = segments.flat();
    const meanBusyMs = all.reduce((sum, { busyMs }) => sum + busyMs, 0) / all.length;
    // Pauses are work, too: they lengthen all parts.
    const pauses = meanBusyMs / (meanBusyMs - 0.05);
    for (const part of ['arrivalMs', 'answerMs', 'refusalMs', 'hopMs', 'itemMs'] as const) {
      const { value, halfWidth } = a?.[part] ?? known(0);
      expect(Math.abs(value / pauses - truth[part])).toBeLessThan(0.01 + 0.1 * truth[part]);
      expect(halfWidth).toBeGreaterThan(0);
    }
    expect(Math.abs((b?.hopMs.value ?? 0) / pauses - other)).toBeLessThan(0.05);
    expect(Math.max(...(a?.spread ?? []))).toBeLessThan(2);
    const meanMs = (meanBusyMs - 0.05) * pauses;
    expect(((a?.pauses?.perMs ?? 0) * meanMs) / 0.005).toBeCloseTo(1, 0);
    for (const ms of a?.pauses?.lengthsMs ?? []) expect(Math.abs(ms - 10)).toBeLessThan(2);
  });

  it('takes long turns with much work for no pauses', () => {
    const rng = new SeededRng(4);
    const one = { stageId: stageId('a'), variantId: variantId('v'), batchSize: 1 };
    // One turn in 25 sends 20 batches of 0.5 ms; all others take a request of 0.2 ms. One in 200 pauses for 30 ms.
    const intervals = Array.from({ length: 4000 }, (_, turn): TurnInterval => {
      const sends = turn % 25 === 0;
      const pauseMs = turn % 200 === 7 ? 30 : 0;
      const busyMs = (sends ? 20 * 0.25 : 0.2) * (0.8 + 0.4 * rng.next()) + pauseMs;
      const sent = sends ? Array.from({ length: 20 }, () => one) : [];
      return {
        ...{ busyMs, workedMs: busyMs - pauseMs },
        arrivals: sends ? 0 : 1,
        answers: 0,
        refusals: 0,
        sent,
        taken: [],
      };
    });
    const [found] = fitThreadCost([intervals]);
    const { arrivalMs, hopMs, itemMs, pauses } = found?.thread ?? threadOf({});
    expect(arrivalMs.value).toBeCloseTo(0.2, 1);
    expect(hopMs.value + itemMs.value).toBeCloseTo(0.5, 1);
    for (const ms of pauses?.lengthsMs ?? [0]) expect(ms).toBeGreaterThan(20);
  });

  it('needs 200 turns', () => {
    expect(fitThreadCost([segment(1).slice(0, 199)])).toEqual([]);
  });

  it('takes the sum from CPU time, where a thread that lost its core looks busy', () => {
    const twice = segment(5).map((interval) => ({ ...interval, busyMs: 2 * interval.busyMs }));
    const [seen, real] = [twice, segment(5)].map((one) => fitThreadCost([one])[0]?.thread.hopMs.value ?? 0);
    expect(seen).toBeCloseTo(real ?? 0, 2);
  });
});
