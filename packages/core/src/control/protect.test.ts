import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poissonCount } from '../forecast/learning/poisson-counts.test-support.js';
import { SeededRng } from '../kernel/rng.js';
import type { PinsByStage } from '../model/decision-record.js';
import { variantId } from '../model/ids.js';
import { planOf } from '../model/spec-builders.test-support.js';
import { diffPlans } from './diff-plans.js';
import { changesToApply, detectBurst, plannedEnvelope } from './protect.js';
import { detect, running, spec } from './step-bench.test-support.js';

const DAY_S = 86_400;

describe('changesToApply', () => {
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 2 });
  const forecast = { method: 'test', meanRps: 1, upperRps: 1 };
  const burst = { windowS: 1, arrivals: 9, plannedArrivals: 3, rateRps: 9 };
  const changes = diffPlans(running(1, 'other'), plan, spec);
  const chosen = plan.stages[detect]?.[0]?.variantId ?? variantId('none');
  const apply = { kind: 'apply', plan, changes, reason: 'test', evidence: { forecast } } as const;

  it('gives a variant that a person pinned a canary of one step, and no other', () => {
    const switches = { kind: 'switch-variant', stageId: detect };
    const pinned = changesToApply(apply, { pins: { [detect]: { variantId: chosen } } });
    expect(pinned).toEqual([expect.objectContaining({ ...switches, oneStep: true })]);
    const others: readonly PinsByStage[] = [
      {},
      { [detect]: { replicas: 2 } },
      { [detect]: { variantId: variantId('other') } },
    ];
    for (const pins of others) expect(changesToApply(apply, { pins })).toEqual(changes);
  });

  it('skips the canary in a burst and in a roll-back, pinned or not', () => {
    const pins = { [detect]: { variantId: chosen } };
    const atOnce = changes.map((change) => ({ ...change, atOnce: true }));
    expect(changesToApply({ ...apply, evidence: { forecast, burst } }, { pins })).toEqual(atOnce);
    expect(changesToApply(apply, { isAtOnce: true, pins })).toEqual(atOnce);
  });
});

describe('detectBurst', () => {
  it('finds the window that shows the highest rate of those that exceed their bounds, as trying them all does', () => {
    const counts = fc.array(fc.nat(60), { maxLength: 90, size: 'max' });
    const bounds = fc.uniqueArray(
      fc.record({ windowS: fc.integer({ min: 1, max: 70 }), perS: fc.integer({ min: 5, max: 30 }) }),
      {
        selector: ({ windowS }) => windowS,
        minLength: 4,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(counts, bounds, (arrivalsPerSecond, chosen) => {
        const planned = chosen
          .map(({ windowS, perS }) => ({ windowS, arrivals: windowS * perS + 3 }))
          .toSorted((a, b) => a.windowS - b.windowS);
        const excesses = planned
          .filter(({ windowS }) => windowS <= arrivalsPerSecond.length)
          .map((bound) => {
            const sum = arrivalsPerSecond.slice(arrivalsPerSecond.length - bound.windowS).reduce((a, b) => a + b, 0);
            return { ...bound, sum, leastRps: (sum - Math.sqrt(sum)) / bound.windowS };
          })
          .filter(({ sum, arrivals }) => sum > arrivals)
          .toSorted((a, b) => b.leastRps - a.leastRps);
        const found = detectBurst({ arrivalsPerSecond }, planned);
        const [best] = excesses;
        if (best === undefined) expect(found).toBeUndefined();
        else {
          expect(found).toMatchObject({ arrivals: best.sum, plannedArrivals: best.arrivals });
          expect(found?.rateRps).toBeCloseTo((found?.arrivals ?? 0) / (found?.windowS ?? 1), 12);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it.each([2, 20, 200])('takes Poisson arrivals at the planned %d rps for a burst hardly ever', (arrivalRps) => {
    const rng = new SeededRng(4);
    const planned = plannedEnvelope({ arrivalRps });
    const seen: number[] = [];
    let alarms = 0;
    for (let second = 0; second < DAY_S / 4; second++) {
      seen.push(poissonCount(rng, arrivalRps));
      if (detectBurst({ arrivalsPerSecond: seen.slice(-60) }, planned) !== undefined) alarms += 1;
    }
    expect(alarms).toBeLessThanOrEqual(2);
  });

  it.each([
    [20, 5, 1],
    [100, 2, 1],
    [50, 1.5, 8],
  ])('sees a step from %d rps to %d times that within %d s', (arrivalRps, factor, withinS) => {
    const planned = plannedEnvelope({ arrivalRps });
    for (let seed = 1; seed <= 40; seed++) {
      const rng = new SeededRng(seed);
      const seen = Array.from({ length: 60 }, () => poissonCount(rng, arrivalRps));
      let waited = 0;
      while (detectBurst({ arrivalsPerSecond: seen.slice(-60) }, planned) === undefined) {
        seen.push(poissonCount(rng, factor * arrivalRps));
        waited += 1;
      }
      expect(waited).toBeLessThanOrEqual(withinS);
    }
  });

  it('expects more of a load that is known to be bursty, the more the longer the window', () => {
    const burstiness = { sloMs: 500, dispersionAtSlo: 2, dispersionAt10s: 8 };
    const [poisson, bursty] = [{ arrivalRps: 50 }, { arrivalRps: 50, burstiness }].map((load) => plannedEnvelope(load));
    const ratios = (bursty ?? []).map(
      ({ windowS, arrivals }, i) => (arrivals - 50 * windowS) / ((poisson?.[i]?.arrivals ?? 0) - 50 * windowS),
    );
    expect(Math.min(...ratios)).toBeGreaterThan(1.1);
    expect(ratios[2]).toBeGreaterThan(1.3);
    expect(ratios).toEqual(ratios.toSorted((a, b) => a - b));
  });

  it('sees a step within a fraction of a second, and its rate, in windows that end now', () => {
    const planned = plannedEnvelope({ arrivalRps: 24 });
    for (let seed = 1; seed <= 40; seed++) {
      const rng = new SeededRng(seed);
      const arrivalsPerSecond = Array.from({ length: 60 }, () => poissonCount(rng, 20));
      const quarters = [20, 20, 20, 100].map((rps) => poissonCount(rng, rps / 4));
      const last = (count: number) => quarters.slice(-count).reduce((sum, each) => sum + each, 0);
      const latest = [1, 2, 4].map((count) => ({ windowS: count / 4, arrivals: last(count) }));
      expect(detectBurst({ arrivalsPerSecond, latest: [] }, planned)).toBeUndefined();
      const rateRps = detectBurst({ arrivalsPerSecond, latest }, planned)?.rateRps ?? 0;
      if (last(1) > 21) expect(rateRps).toBeGreaterThan(80);
      expect(last(1) <= 21 || rateRps > 0).toBe(true);
    }
  });

  it('takes what a window holds from before the load fell for no burst, and sees one that comes then', () => {
    const rng = new SeededRng(11);
    const seen = Array.from({ length: 60 }, () => poissonCount(rng, 100));
    // Planned for 100 rps until now, for 5 from now on.
    const rates = [
      { atMs: 0, arrivalRps: 100 },
      { atMs: 60_000, arrivalRps: 5 },
    ];
    const look = (nowMs: number) =>
      detectBurst(
        { arrivalsPerSecond: seen.slice(-60) },
        plannedEnvelope({ arrivalRps: 5 }, { before: { rates, nowMs } }),
      );
    const without = detectBurst({ arrivalsPerSecond: seen }, plannedEnvelope({ arrivalRps: 5 }));
    expect(without).toBeDefined();
    for (let second = 61; second <= 100; second++) {
      seen.push(poissonCount(rng, 5));
      expect(look(second * 1000), `second ${second}`).toBeUndefined();
    }
    seen.push(poissonCount(rng, 50));
    expect(look(101_000)).toMatchObject({ windowS: 1 });
  });

  it('asks for less behind a burst', () => {
    const [calm, inBurst] = [false, true].map((is) => plannedEnvelope({ arrivalRps: 70 }, { inBurst: is }));
    const seen = { arrivalsPerSecond: [100] };
    expect(detectBurst(seen, calm ?? [])).toBeUndefined();
    expect(detectBurst(seen, inBurst ?? [])).toMatchObject({ windowS: 1, rateRps: 100 });
  });

  it('takes what a bursty load may bring for no burst only as far as replicas can carry it', () => {
    const burstiness = { sloMs: 500, dispersionAtSlo: 4, dispersionAt10s: 40 };
    const carried = { rps: 60, sloMs: 500 };
    const bursty = plannedEnvelope({ arrivalRps: 20, burstiness });
    const bounded = plannedEnvelope({ arrivalRps: 20, burstiness }, { carried });
    const poisson = plannedEnvelope({ arrivalRps: 20 });
    const twice = [...new Array<number>(60).fill(20), 80, 80, 80, 80];
    expect(detectBurst({ arrivalsPerSecond: twice }, bursty)).toBeUndefined();
    expect(detectBurst({ arrivalsPerSecond: twice }, bounded)).toBeDefined();
    for (const [i, { windowS, arrivals }] of bounded.entries()) {
      const [most, least] = [bursty[i]?.arrivals ?? 0, poisson[i]?.arrivals ?? 0];
      expect(arrivals).toBe(Math.max(least, Math.min(most, 60 * (windowS + 0.25))));
    }
    expect(plannedEnvelope({ arrivalRps: 20 }, { carried: { rps: 1, sloMs: 500 } })).toEqual(poisson);
  });

  it('keeps to an envelope that was planned for, and to what chance brings at its rate', () => {
    const envelope = [
      { windowS: 1, arrivals: 40 },
      { windowS: 2, arrivals: 50 },
      { windowS: 20, arrivals: 220 },
    ];
    const planned = plannedEnvelope({ arrivalRps: 10, envelope });
    const byChance = plannedEnvelope({ arrivalRps: 10 });
    expect(planned.find(({ windowS }) => windowS === 1)).toEqual({ windowS: 1, arrivals: 40 });
    expect(planned.at(-1)).toEqual(byChance.at(-1));
    const calm = new Array<number>(10).fill(9);
    expect(detectBurst({ arrivalsPerSecond: calm }, planned)).toBeUndefined();
    expect(detectBurst({ arrivalsPerSecond: [...calm, 38] }, planned)).toBeUndefined();
    expect(detectBurst({ arrivalsPerSecond: [...calm, 38] }, byChance)).toMatchObject({ windowS: 1 });
    expect(detectBurst({ arrivalsPerSecond: [41] }, planned)).toMatchObject({
      windowS: 1,
      rateRps: 41,
      plannedArrivals: 40,
    });
  });

  it('takes what chance brings within a minute after a minute that was planned for by its most for no burst', () => {
    const rng = new SeededRng(4);
    const seen = Array.from({ length: 60 }, () => poissonCount(rng, 20));
    let alarms = 0;
    for (let second = 0; second < 3600; second++) {
      const envelope = [{ windowS: 1, arrivals: Math.max(...seen.slice(-60)) }];
      seen.push(poissonCount(rng, 20));
      if (
        detectBurst({ arrivalsPerSecond: seen.slice(-60) }, plannedEnvelope({ arrivalRps: 22, envelope })) !== undefined
      )
        alarms += 1;
    }
    expect(alarms).toBe(0);
  });
});
