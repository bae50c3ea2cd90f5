import { describe, expect, it } from 'vitest';
import type { Decision } from '../../model/decision.js';
import { stageId } from '../../model/ids.js';
import type { PlannedRate } from '../planned-load.js';
import { switchObjection, type VariantSwitch, withSwitches } from './switching.js';

const [a, b] = [stageId('a'), stageId('b')];
const at = (atS: number, id = a): VariantSwitch => ({ stageId: id, atMs: 1000 * atS });
const neededAt = (atS: number, id = a): VariantSwitch => ({ ...at(atS, id), necessary: true });
const calm = { plannedRates: undefined, minDwellMs: 30_000, arrivalRps: 1 };
const restsAt = (nowS: number, ...switches: readonly VariantSwitch[]) =>
  switchObjection([a], { ...calm, switches, nowMs: 1000 * nowS }) !== undefined;

describe('the rest between two switches', () => {
  it('lasts for the dwell time, four times as long for each improvement of the last 20 minutes that was undone', () => {
    expect(restsAt(0)).toBe(false);
    for (const last of [at(100), neededAt(100)])
      expect([restsAt(129, last), restsAt(130, last)]).toEqual([true, false]);
    const once = [at(50), neededAt(120)];
    expect([restsAt(239, ...once), restsAt(240, ...once)]).toEqual([true, false]);
    const twice = [...once, at(240), at(270), neededAt(280)];
    expect([restsAt(759, ...twice), restsAt(760, ...twice)]).toEqual([true, false]);
    expect(restsAt(1850, at(100), neededAt(1820))).toBe(false);
  });

  it('is no longer behind necessary switches that undo nothing', () => {
    expect(restsAt(330, neededAt(100), neededAt(200), neededAt(300))).toBe(false);
    expect(restsAt(330, at(100), at(200), at(300))).toBe(false);
  });

  it('is that of a stage alone, and none without a dwell time', () => {
    expect(restsAt(101, at(100, b))).toBe(false);
    expect(switchObjection([b, a], { ...calm, switches: [at(100)], nowMs: 101_000 })).toMatch('stage a switched');
    expect(switchObjection([a], { ...calm, switches: [at(100)], nowMs: 100_500, minDwellMs: 0 })).toBeUndefined();
  });

  it('allows six switches in 20 minutes at most where each improvement is undone at once', () => {
    const switches: VariantSwitch[] = [];
    for (let nowS = 0; nowS < 1200; nowS += 10) {
      if (!restsAt(nowS, ...switches)) switches.push(at(nowS), neededAt(nowS + 5));
    }
    expect(switches.length).toBeLessThanOrEqual(6);
  });
});

describe('what an improvement has to hold for', () => {
  const rates: readonly PlannedRate[] = [
    { atMs: 500_000, arrivalRps: 32 },
    { atMs: 560_000, arrivalRps: 40 },
    { atMs: 590_000, arrivalRps: 33 },
    { atMs: 600_000, arrivalRps: 30 },
  ];
  const objection = (arrivalRps: number, ...switches: readonly VariantSwitch[]) =>
    switchObjection([a], { ...calm, switches, plannedRates: rates, nowMs: 600_000, arrivalRps });

  it('is what was planned for in the last minute as far as it may come back by chance', () => {
    expect(objection(30)).toMatch('a minute ago 33.0 rps');
    expect(objection(33)).toBeUndefined();
    expect(objection(29)).toMatch('a minute ago 30.0 rps');
  });

  it('is all of it where the load has moved to and fro', () => {
    expect(objection(33, at(100), neededAt(200))).toMatch('a minute ago 40.0 rps');
    expect(objection(40, at(100), neededAt(200))).toBeUndefined();
    expect(objection(33, neededAt(100), neededAt(200))).toBeUndefined();
    expect(objection(33, at(100), neededAt(200, b))).toBeUndefined();
  });
});

describe('withSwitches', () => {
  it('adds the switches of a decision and forgets what is older than 20 minutes', () => {
    const change = (kind: string, id: typeof a) => ({ kind, stageId: id });
    const decision = {
      kind: 'apply',
      changes: [change('switch-variant', a), change('scale', b)],
      evidence: {},
    } as unknown as Decision;
    const necessary = { ...decision, evidence: { necessary: true } } as Decision;
    expect(withSwitches([at(10), at(500, b)], decision, 1_300_000)).toEqual([at(500, b), at(1300)]);
    expect(withSwitches([], necessary, 1_300_000)).toEqual([neededAt(1300)]);
    expect(withSwitches([at(10)], { kind: 'hold', evidence: {} } as Decision, 20_000)).toEqual([at(10)]);
  });
});
