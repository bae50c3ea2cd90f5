import { describe, expect, it } from 'vitest';
import { planOf } from '../model/spec-builders.test-support.js';
import { controlStep } from './controller.js';
import { detect, observe, plannedFor, rulesFor, running, spec, steady } from './controller-bench.test-support.js';

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
});
