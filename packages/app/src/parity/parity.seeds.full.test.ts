/**
 * Simulation and serving behave alike. The same seed and scenario run in the simulator, and in the real data plane,
 * actuator and drop rules under a manual clock. All events must be equal.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { boundaryScenarios } from './boundary-scenarios.test-support.js';
import { namedScenarios } from './named-scenarios.test-support.js';
import { randomScenario, type Scenario } from './scenario.test-support.js';
import { servedTrace } from './served-trace.test-support.js';
import { simulatedTrace } from './simulated-trace.test-support.js';
import type { Trace } from './trace.test-support.js';

const ALL_PIPELINES = 240;
const RANDOM_PIPELINES = process.env['EQUIPOISE_SEEDS'] === 'all' ? ALL_PIPELINES : 60;

const compared = { batches: 0, ends: 0, fleet: 0 };
const outcomes = new Map<string, number>();

async function expectParity(scenario: Scenario): Promise<Trace> {
  const simulated = simulatedTrace(scenario);
  const served = await servedTrace(scenario);
  expect(served.batches).toEqual(simulated.batches);
  expect(served.ends).toEqual(simulated.ends);
  expect(served.outcomes).toEqual(simulated.outcomes);
  expect(served.fleet).toEqual(simulated.fleet);
  expect(served.failedAtTicks).toEqual(simulated.failedAtTicks);
  compared.batches += served.batches.length;
  compared.ends += served.ends.length;
  compared.fleet += served.fleet.length;
  for (const end of served.ends) {
    const outcome = end.split(' ').at(-1) ?? '';
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return served;
}

describe('simulator and data plane', () => {
  it.each([...namedScenarios, ...boundaryScenarios])('$name', async ({ scenario, shows, hides = [] }) => {
    const trace = await expectParity(scenario);
    const ticks = trace.failedAtTicks.map((failed) => `a tick saw ${failed}`);
    const text = [...trace.ends, ...trace.fleet, ...trace.batches, ...trace.outcomes, ...ticks].join('\n');
    for (const part of shows) expect(text).toMatch(part);
    for (const part of hides) expect(text).not.toMatch(part);
  });

  it.each(Array.from({ length: RANDOM_PIPELINES }, (_, seed) => seed))('random pipeline %d', async (seed) => {
    await expectParity(randomScenario(seed));
  });

  afterAll(() => {
    expect([...outcomes.keys()].sort()).toEqual([
      ...['cancelled', 'completed', 'deadline-passed', 'deadline-unreachable', 'draining', 'failed'],
      ...['no-ready-replica', 'queue-full', 'wait-too-long'],
    ]);
    const part = RANDOM_PIPELINES / ALL_PIPELINES;
    expect(compared.batches).toBeGreaterThan(part * 15_000);
    expect(compared.ends).toBeGreaterThan(part * 15_000);
    expect(compared.fleet).toBeGreaterThan(part * 2_000);
  });
});
