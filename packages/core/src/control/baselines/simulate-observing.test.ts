import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { requireCurves } from '../../profile/service-curves.js';
import { arrivalsOf } from '../../simulate/arrivals/load-spec.js';
import { twoStages } from './baselines.test-support.js';
import { handConfiguration, stagesOf } from './hand-configuration.js';
import { observingPolicies } from './observing-policies.js';
import type { ObservingPolicy, PolicyObservation } from './observing-policy.js';
import { simulateObserving } from './simulate-observing.js';

const spec = { ...twoStages, control: { ...twoStages.control, minDwellMs: 0 } };
const curves = requireCurves(spec, []);
const stagesWith = (...replicas: readonly number[]) => stagesOf(handConfiguration(spec, curves), replicas);

function run(policy: ObservingPolicy, rps = 8, durationS = 60) {
  const arrivals = (seconds: number) =>
    arrivalsOf({ kind: 'poisson', arrivalRps: rps, durationS: seconds }, new SeededRng(1));
  return simulateObserving({
    policy,
    spec,
    curves,
    seed: 1,
    hostCores: Number.POSITIVE_INFINITY,
    sampleArrivalsPerSecond: new Array<number>(20).fill(rps),
    sampleArrivals: () => arrivals(20),
    arrivals: arrivals(durationS),
  });
}

const decidingOnce = (wanted: readonly number[], seen: PolicyObservation[] = []): ObservingPolicy => ({
  intervalMs: 10_000,
  begin: () => ({
    first: stagesWith(1, 1),
    decide: (observation) => {
      seen.push(observation);
      return stagesWith(...wanted);
    },
  }),
});

describe('a simulated observing policy', () => {
  it('sees arrivals, queues, busy time and replicas, and changes replicas', () => {
    const seen: PolicyObservation[] = [];
    const { changes, meanUse } = run(decidingOnce([3, 2], seen));
    expect(changes).toBe(1);
    expect(meanUse.resources.cpuCores).toBeGreaterThan(4);
    const first = seen[0]?.stages['detect' as never] as PolicyObservation['stages'][never];
    // 8 rps on a replica of 10 rps.
    expect(first.busyFraction).toBeGreaterThan(0.6);
    expect(first.busyFraction).toBeLessThanOrEqual(1);
    expect(first.readyReplicas).toBe(1);
    expect(seen.at(-1)?.stages['detect' as never]).toMatchObject({ readyReplicas: 3, liveReplicas: 3 });
    expect(seen[0]?.arrivalsPerSecond).toHaveLength(10);
  });

  it('refuses a plan beyond the budget or the bounds', () => {
    expect(() => run(decidingOnce([12, 1]))).toThrow('needs 13 cores, the budget is 12');
    expect(() => run(decidingOnce([65, 1]))).toThrow('breaks the bounds');
  });

  it.each(Object.entries(observingPolicies))('gives %s the same figures again', (_, policy) => {
    const [one, other] = [run(policy), run(policy)];
    expect(one.tally.arrived).toBeGreaterThan(300);
    expect(one.tally.withinSlo / one.tally.arrived).toBeGreaterThan(0.5);
    expect([other.tally.withinSlo, other.meanUse, other.changes]).toEqual([
      one.tally.withinSlo,
      one.meanUse,
      one.changes,
    ]);
  });
});
