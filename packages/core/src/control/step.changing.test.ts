import { describe, expect, it } from 'vitest';
import { variantId } from '../model/ids.js';
import { planOf } from '../model/spec-builders.test-support.js';
import { changesToApply } from './protect.js';
import { controlStep } from './step.js';
import { detect, observe, plannedFor, rulesFor, running, spec, steady } from './step-bench.test-support.js';

describe('controlStep in the middle of a change', () => {
  const rules = rulesFor(spec);

  it('answers a burst in the middle of a change, in its place, plans nothing then, and judges nothing', () => {
    const { beforeChange: before = { appliedAtMs: [], switches: [] }, ...first } = plannedFor(rules, 20, running(3));
    const state = { ...first, appliedAtMs: [1000, 130_000], beforeChange: { ...before, appliedAtMs: [1000] } };
    const calm = { ...observe(140, { counts: steady(20), running: running(3) }), changing: true };
    const quiet = controlStep(rules, state, calm);
    expect([quiet.decision, quiet.state.nextPlanAtMs]).toEqual([undefined, state.nextPlanAtMs]);
    const trial = { before: planOf(spec, { maxBatchSize: 1, replicas: 3 }), beforeLoad: { arrivalRps: 20 } };
    const tried = { ...state, trial: { ...trial, sinceMs: 130_000, missedAtStart: 0 } };
    const missing = { ...observe(140, { counts: steady(20), running: running(3), dropped: 500 }), changing: true };
    expect(controlStep(rules, tried, missing).decision).toBeUndefined();
    const burst = { ...observe(140, { counts: [...steady(20), 100], running: running(3) }), changing: true };
    const answered = controlStep(rules, state, burst);
    expect(answered.decision).toMatchObject({ kind: 'apply', evidence: { burst: { arrivals: 100 } } });
    expect(answered.state.appliedAtMs).toEqual([1000, 140_000]);
    const after = observe(141, { counts: [...steady(20), 100, 100], running: running(9) });
    expect(controlStep(rules, answered.state, after).decision?.evidence).toMatchObject({ result: {} });
  });

  it.each(['failed', 'given-up'] as const)(
    'remembers nothing of an improvement whose place an answer took that has %s',
    (kind) => {
      const state = { ...plannedFor(rules, 90, running(10)), appliedAtMs: [130_000] };
      const improved = controlStep(rules, state, observe(140, { counts: steady(40), running: running(10) }));
      expect(improved.state.trial).toBeDefined();
      const burst = { counts: [...steady(40), 120, 160], running: running(8) };
      const answered = controlStep(rules, improved.state, { ...observe(143, burst), changing: true });
      expect(answered.decision).toMatchObject({ kind: 'apply', evidence: { burst: {} } });
      expect(answered.state.beforeChange).toEqual(improved.state.beforeChange);
      const lastChange = { kind, changed: [], unchanged: [detect] };
      const calm = { counts: [...burst.counts, ...steady(40, 28)], running: running(8), dropped: 200 };
      const told = controlStep(rules, answered.state, { ...observe(172, calm), lastChange });
      expect(told.decision?.reason).not.toContain('back to the plan before');
      expect(told.state.backOff?.failures).toBe(kind === 'failed' ? 1 : undefined);
    },
  );

  it('keeps what a burst needs of what runs, though the change under way would take it away', () => {
    const state = plannedFor(rules, 90, running(10));
    const improved = controlStep(rules, state, observe(140, { counts: steady(40), running: running(10) }));
    expect(improved.decision).toMatchObject({ kind: 'apply', evidence: { necessary: false } });
    const burst = { counts: [...steady(40), 130], running: running(10) };
    const answered = controlStep(rules, improved.state, { ...observe(145, burst), changing: true });
    expect(answered.decision).toMatchObject({ changes: [{ kind: 'scale', fromReplicas: 10, to: { replicas: 10 } }] });
  });

  it('does not put a change in the place of one that leads to the same plan', () => {
    const small = rulesFor({ ...spec, budget: { cpuCores: 6 } });
    const state = plannedFor(small, 20, running(3));
    const answered = controlStep(small, state, observe(131, { counts: [...steady(20), 300], running: running(3) }));
    expect(answered.decision).toMatchObject({ kind: 'apply', changes: [{ to: { replicas: 6 } }] });
    const more = observe(132, { counts: [...steady(20), 300, 900], running: running(3) });
    expect(controlStep(small, answered.state, { ...more, changing: true }).decision).toBeUndefined();
    const { underWay: _, ...elsewhere } = answered.state;
    expect(controlStep(small, elsewhere, { ...more, changing: true }).decision).toBeDefined();
  });

  it('answers a burst in a canary with the variant that has served, though the new one has more replicas', () => {
    const free = rulesFor({ ...spec, objective: { kind: 'max-accuracy' } });
    const { stages } = running(3);
    const { replicas, ...batching } = stages[detect] ?? expect.fail('the stage runs');
    const old = running(2, 'small').stages[detect]?.replicas ?? [];
    const canary = { variantId: variantId('large'), fraction: 0.5, missingOutcomes: 0 };
    const both = { stages: { [detect]: { ...batching, replicas: [...old, ...replicas], canary } } };
    const state = { ...plannedFor(free, 20, running(2, 'small')), planned: { arrivalRps: 20 } };
    const burst = { ...observe(131, { counts: [...steady(20), 300], running: both }), changing: true };
    const { decision } = controlStep(free, state, burst);
    expect(decision).toMatchObject({ evidence: { burst: {} }, changes: [{ to: { variantId: 'small' } }] });
  });
});

describe('a rise during a change that delays the next plan', () => {
  const tight = rulesFor({ ...spec, objective: { kind: 'max-accuracy' }, budget: { cpuCores: 2 } });
  // The replicas that run sustain 40 rps.
  const planned = { ...plannedFor(tight, 20, running(2)), planned: { arrivalRps: 38 }, nextPlanAtMs: 130_000 };
  const rising = [...steady(20), ...Array.from({ length: 22 }, (_, i) => 20 + i)];
  const seen = { ...observe(136, { counts: rising, running: running(2) }), changing: true };

  it('is answered at once, with other variants if only those can carry it', () => {
    const { decision, state } = controlStep(tight, planned, seen);
    expect(decision).toMatchObject({ kind: 'apply', evidence: { necessary: true, rise: 'held-up' } });
    expect(decision?.reason).toMatch(/^the load rises, and a change under way delays the next plan: room for/);
    if (decision?.kind !== 'apply') throw new Error('no change');
    expect(decision.changes).toMatchObject([{ kind: 'switch-variant', to: { variantId: 'small' } }]);
    expect(changesToApply(decision).every(({ atOnce }) => atOnce)).toBe(true);
    expect(state.beforeChange).toBeDefined();
  });

  it('leaves one step to a variant that a person has pinned', () => {
    const { decision } = controlStep(tight, planned, seen);
    if (decision?.kind !== 'apply') throw new Error('no change');
    const pins = { [detect]: { variantId: variantId('small') } };
    expect(changesToApply(decision, { pins })).toMatchObject([{ oneStep: true }]);
    expect(changesToApply(decision, { pins })[0]).not.toHaveProperty('atOnce');
  });

  it('is answered once', () => {
    const { state } = controlStep(tight, planned, seen);
    const later = { ...observe(137, { counts: [...rising, 42], running: running(2) }), changing: true };
    expect(controlStep(tight, state, later).decision).toBeUndefined();
  });

  it('is no reason to replace a change while the running replicas sustain the mean forecast', () => {
    const more = { ...observe(136, { counts: rising, running: running(3) }), changing: true };
    expect(controlStep(tight, planned, more).decision).toBeUndefined();
  });

  it('waits for what goes back to the plan before, and while a source is silent', () => {
    const backOff = { failures: 1, untilMs: 190_000 };
    expect(controlStep(tight, { ...planned, backOff }, seen).decision).toBeUndefined();
    expect(controlStep(tight, planned, { ...seen, staleSources: ['router'] }).decision).toBeUndefined();
  });

  it('waits while no plan is due, while no change is under way, and without a rise', () => {
    expect(controlStep(tight, { ...planned, nextPlanAtMs: 140_000 }, seen).decision).toBeUndefined();
    expect(controlStep(tight, planned, { ...seen, changing: false }).decision?.evidence.forecast.method).not.toBe(
      'rise',
    );
    const steadily = { ...seen, ...observe(136, { counts: steady(20), running: running(2) }), changing: true };
    expect(controlStep(tight, planned, steadily).decision).toBeUndefined();
  });
});
