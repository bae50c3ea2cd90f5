import { expect, it } from 'vitest';
import { smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { arrivalsOf } from '../simulate/arrivals/load-spec.js';
import { arrivalRng, firstPlan, simulateControl } from './simulate-control.js';
import { rulesFor } from './step-bench.test-support.js';

it('records all that happens in a simulation, second by second', () => {
  const context = rulesFor({ ...smallOrLargeSpec(), budget: { cpuCores: 8 } });
  const load = { kind: 'poisson', arrivalRps: 60, durationS: 40 } as const;
  const ends: string[] = [];
  const { history, tally, decisions } = simulateControl({
    context,
    firstPlan: firstPlan(context, load, 1),
    arrivals: arrivalsOf(load, arrivalRng(1)),
    hostCores: 64,
    seed: 1,
    historyFromEpochMs: 1_000_000,
    onEnd: ({ outcome }) => ends.push(outcome),
  });
  history?.advance(60_000);
  const window = history?.history.window();
  if (window === undefined) throw new Error('a history is recorded');
  const sum = (of: (second: number) => number) =>
    Array.from({ length: window.length }, (_, second) => of(second)).reduce((all, each) => all + each, 0);
  expect(sum((at) => window.figure(at, 'arrived'))).toBe(tally.arrived);
  expect(sum((at) => window.figure(at, 'completed'))).toBe(ends.filter((end) => end === 'completed').length);
  expect(sum((at) => window.ended(at))).toBe(ends.length);
  expect(sum((at) => window.stageFigure(at, 0, 'items'))).toBe(tally.stages[0]?.items);
  expect(window.atEpochMs(0)).toBe(1_001_000);
  const ratio =
    sum((at) => window.stageFigure(at, 0, 'serviceMs')) / sum((at) => window.stageFigure(at, 0, 'expectedMs'));
  expect(ratio).toBeCloseTo(1, 1);
  const last = window.points(60).at(-25);
  expect(last).toMatchObject({ accuracy: expect.any(Number), cpuCores: { planned: expect.any(Number) } });
  expect(last?.forecastRps).toBeCloseTo(decisions.at(-1)?.decision.evidence.forecast.meanRps ?? 0, 0);
  expect(sum((at) => window.stageFigure(at, 0, 'ready'))).toBeGreaterThan(40);
});
