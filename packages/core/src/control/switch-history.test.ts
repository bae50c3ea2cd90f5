import { describe, expect, it } from 'vitest';
import type { Decision } from '../model/decision.js';
import { stageId } from '../model/ids.js';
import { type PlannedRate, switchObjection, type VariantSwitch, withSwitches } from './switch-history.js';

const [a, b] = [stageId('a'), stageId('b')];
const at = (atS: number, id = a): VariantSwitch => ({ stageId: id, atMs: 1000 * atS });
const calm = { plannedRates: undefined, minDwellMs: 30_000, arrivalRps: 1 };
const restsAt = (nowS: number, ...switches: readonly VariantSwitch[]) =>
  switchObjection([a], { ...calm, switches, nowMs: 1000 * nowS }) !== undefined;

describe('the rest between two switches', () => {
  it('lasts for the dwell time, twice as long for each switch of the last 20 minutes', () => {
    expect(restsAt(0)).toBe(false);
    expect([restsAt(159, at(100)), restsAt(160, at(100))]).toEqual([true, false]);
    expect([restsAt(239, at(50), at(120)), restsAt(240, at(50), at(120))]).toEqual([true, false]);
    expect(restsAt(1900, at(100), at(1820))).toBe(false);
  });

  it('is that of a stage alone, and none without a dwell time', () => {
    expect(restsAt(101, at(100, b))).toBe(false);
    expect(switchObjection([b, a], { ...calm, switches: [at(100)], nowMs: 101_000 })).toMatch('stage a switched');
    expect(switchObjection([a], { ...calm, switches: [at(100)], nowMs: 100_500, minDwellMs: 0 })).toBeUndefined();
  });

  it('allows six switches in 20 minutes at most where each improvement is undone at once', () => {
    const switches: VariantSwitch[] = [];
    for (let nowS = 0; nowS < 1200; nowS += 10) {
      if (!restsAt(nowS, ...switches)) switches.push(at(nowS), at(nowS + 5));
    }
    expect(switches.length).toBeLessThanOrEqual(6);
  });
});

describe('a stage that was switched to and fro', () => {
  const rates: readonly PlannedRate[] = [
    { atMs: 500_000, arrivalRps: 90 },
    { atMs: 560_000, arrivalRps: 40 },
    { atMs: 600_000, arrivalRps: 20 },
  ];
  const objection = (arrivalRps: number, ...switches: readonly VariantSwitch[]) =>
    switchObjection([a], { ...calm, switches, plannedRates: rates, nowMs: 600_000, arrivalRps });

  it('switches only to what holds for the highest rate that was planned for in the last minute', () => {
    expect(objection(30, at(100), at(200))).toMatch('a minute ago 40.0 rps');
    expect(objection(40, at(100), at(200))).toBeUndefined();
    expect(objection(30, at(200))).toBeUndefined();
    expect(objection(30, at(100), at(200, b))).toBeUndefined();
  });
});

describe('withSwitches', () => {
  it('adds the switches of a decision and forgets what is older than 20 minutes', () => {
    const change = (kind: string, id: typeof a) => ({ kind, stageId: id });
    const decision = {
      kind: 'apply',
      changes: [change('switch-variant', a), change('scale', b)],
    } as unknown as Decision;
    expect(withSwitches([at(10), at(500, b)], decision, 1_300_000)).toEqual([at(500, b), at(1300)]);
    expect(withSwitches([at(10)], { kind: 'hold' } as Decision, 20_000)).toEqual([at(10)]);
  });
});
