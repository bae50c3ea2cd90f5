/** While a session is quiet, ticks change nothing: a loop that leaves them out decides the same at the same time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { ArrivalRecord } from '../model/arrival-record.js';
import type { Observation } from '../model/decision.js';
import { detectBurst } from './protect.js';
import { ControlSession } from './session.js';
import { observe, rulesFor, running, spec } from './step-bench.test-support.js';

const SECONDS = 90;
const rules = rulesFor(spec);

/** A rate in force from a second on. */
interface Phase {
  readonly fromS: number;
  readonly rps: number;
}

/** Loads at each half second, with Poisson arrivals. */
function loadsOf(phases: readonly Phase[], seed: number): readonly Pick<Observation, 'load'>[] {
  const rng = new SeededRng(seed);
  const record = new ArrivalRecord(0, spec.slo.latencyMs);
  let atMs = 0;
  return Array.from({ length: 2 * SECONDS }, (_, index) => {
    const nowMs = 500 * (index + 1);
    for (;;) {
      const rps = phases.findLast(({ fromS }) => fromS <= atMs / 1000)?.rps ?? 0;
      const nextMs = rps === 0 ? atMs + 100 : atMs - (1000 * Math.log(1 - rng.next())) / rps;
      if (nextMs >= nowMs) break;
      atMs = nextMs;
      if (rps > 0) record.arrived(atMs);
    }
    atMs = nowMs;
    return { load: { arrivalsPerSecond: record.arrivalsPerSecond(nowMs), latest: record.latest(nowMs) } };
  });
}

/** Decisions of a loop; `isPaced` leaves out ticks while the session is quiet. Plans are in force at once. */
function decisionsOf(loads: readonly Pick<Observation, 'load'>[], isPaced: boolean) {
  const session = new ControlSession(rules);
  const told: string[] = [];
  let replicas = 2;
  let ticks = 0;
  let quiet: ReturnType<ControlSession['tick']>['quiet'];
  loads.forEach(({ load }, index) => {
    const atMs = 500 * (index + 1);
    if (isPaced && quiet !== undefined && atMs < quiet.untilMs && detectBurst(load, quiet.most) === undefined) return;
    ticks += 1;
    const observation = { ...observe(atMs / 1000, { counts: [], running: running(replicas) }), load };
    const { decision, quiet: next } = session.tick({ observation, executes: true, asksQuiet: true });
    quiet = next;
    if (decision?.kind !== 'apply') return;
    replicas = Object.values(decision.plan.stages).reduce((sum, [stage]) => sum + (stage?.replicas ?? 0), 0);
    told.push(`${atMs}: ${decision.evidence.forecast.method}: ${replicas}`);
  });
  return { told, ticks };
}

describe('a quiet session', () => {
  it('needs a tenth of the ticks under a steady load', () => {
    const loads = loadsOf([{ fromS: 0, rps: 20 }], 1);
    const [each, paced] = [decisionsOf(loads, false), decisionsOf(loads, true)];
    expect(paced.told).toEqual(each.told);
    expect(each.ticks).toBe(2 * SECONDS);
    expect(paced.ticks).toBeLessThan(0.25 * each.ticks);
  });

  it('decides the same at the same time, whatever the load does', () => {
    const phase = fc.record({ fromS: fc.integer({ min: 1, max: SECONDS - 10 }), rps: fc.integer({ min: 0, max: 80 }) });
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 4 }), fc.integer({ min: 1, max: 1_000 }), (phases, seed) => {
        const sorted = [{ fromS: 0, rps: 20 }, ...phases.toSorted((a, b) => a.fromS - b.fromS)];
        const loads = loadsOf(sorted, seed);
        expect(decisionsOf(loads, true).told).toEqual(decisionsOf(loads, false).told);
      }),
      { seed: 22, numRuns: 3 },
    );
  });
});
