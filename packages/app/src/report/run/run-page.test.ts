import { expect, it } from 'vitest';
import { runFacts } from './run-page.js';
import type { RunPoint } from './run-record.js';

const point = (atEpochMs: number, outcome: Partial<RunPoint>): RunPoint => ({
  ...{ atEpochMs, arrivalRps: 1, cpuCores: {}, stages: {} },
  ...outcome,
});

function withinSlo(points: readonly RunPoint[]): string | undefined {
  const slo = { latencyMs: 100, percentile: 99 };
  const run = { pipeline: 'p', origin: '', slo, percentile: 99, points, latencies: [], decisions: [] };
  return runFacts(run).find(({ label }) => label === 'Within the SLO')?.value;
}

it('weighs the outcomes after a decision by the time for which they were observed', () => {
  const [late, inTime] = [
    { completedRps: 100, lateRps: 100 },
    { completedRps: 1, lateRps: 0 },
  ];
  // 99 of 199 requests.
  expect(withinSlo([point(1, { ...late, endedS: 1 }), point(2, { ...inTime, endedS: 99 })])).toBe('49.7 %');
  expect(withinSlo([point(1, late), point(2, inTime)])).toBe('1.0 %');
});
