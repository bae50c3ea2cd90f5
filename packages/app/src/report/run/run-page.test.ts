import { expect, it } from 'vitest';
import { START_EPOCH_MS, sampleDecision } from '../sample-run.test-support.js';
import { logOutcomes } from './log-points.js';
import { runFacts, runPage } from './run-page.js';
import type { EndedRequests, OutcomeWindow, RunPoint } from './run-record.js';

const point = (atEpochMs: number, outcome: Partial<RunPoint>): RunPoint => ({
  ...{ atEpochMs, arrivalRps: 1, cpuCores: {}, stages: {} },
  ...outcome,
});

function factOf(wanted: string, points: readonly RunPoint[], outcomes?: readonly OutcomeWindow[]): string | undefined {
  const slo = { latencyMs: 100, percentile: 99 };
  const run = { pipeline: 'p', origin: '', slo, percentile: 99, points, latencies: [], decisions: [] };
  return runFacts({ ...run, ...(outcomes && { outcomes }) }).find(({ label }) => label === wanted)?.value;
}

const withinSlo = (points: readonly RunPoint[]) => factOf('Within the SLO', points);
const withinSloOf = (outcomes: readonly OutcomeWindow[]) => factOf('Within the SLO', [], outcomes);

it('weighs the outcomes after a decision by the time for which they were observed', () => {
  const [late, inTime] = [
    { completedRps: 100, lateRps: 100 },
    { completedRps: 1, lateRps: 0 },
  ];
  // 99 of 199 requests.
  const lasting = (fromEpochMs: number, toEpochMs: number, ended: EndedRequests): OutcomeWindow => ({
    ...{ decidedAtEpochMs: fromEpochMs, fromEpochMs, toEpochMs, arrivalRps: 1, ended },
  });
  expect(withinSloOf([lasting(1, 1001, late), lasting(1001, 100_001, inTime)])).toBe('49.7 %');
  expect(withinSlo([point(1, late), point(2, inTime)])).toBe('1.0 %');
});

it('counts each request once if the observed times of decisions overlap', () => {
  const decided = (s: number, seen: { readonly s: number; readonly completed: number; readonly within: number }) => {
    const { outcome: _, mode: __, ...base } = sampleDecision(1, 'p', 'a');
    const { completed, within: sloAttainmentFraction } = seen;
    const observed = {
      windowMs: 1000 * seen.s,
      arrivalRps: 1,
      completed,
      failed: 0,
      dropped: 0,
      sloAttainmentFraction,
    };
    return { ...base, atEpochMs: START_EPOCH_MS + 1000 * s, observed };
  };
  const first = decided(0, { s: 60, completed: 100, within: 1 });
  const overlapping = [10, 20].map((s) => decided(s, { s: 60, completed: 1000, within: 0 }));
  const next = decided(59.5, { s: 60, completed: 300, within: 0.5 });
  // 100 + 150 of 400 requests.
  const outcomes = logOutcomes([first, ...overlapping, next]);
  expect(withinSloOf(outcomes)).toBe('62.5 %');
  expect(withinSloOf(outcomes.slice(2, 3))).toBe('0.0 %');
  const setBack = decided(-3600, { s: 10, completed: 100, within: 0 });
  expect(withinSloOf(logOutcomes([first, ...overlapping, next, setBack]))).toBe('50.0 %');
});

it('has the mean of the planned cores since the first plan', () => {
  const points = [0, 0, 4, 0, 2].map((planned, i) => point(i, { cpuCores: { planned } }));
  expect(factOf('Cores planned', points)).toBe('2.0');
  expect(factOf('Cores planned', points.slice(0, 2))).toBe('0.0');
});

it('says since when it has decisions, if there are earlier ones', () => {
  const noteOf = (...ids: readonly number[]) => {
    const decisions = ids.map((id) => sampleDecision(id, 'p', 'a'));
    const run = { pipeline: 'p', origin: '', slo: undefined, percentile: 99, points: [], latencies: [], decisions };
    const { facts = [], sections } = runPage(run);
    const text = sections.find(({ title }) => title === 'Decisions')?.text;
    return [facts.find(({ label }) => label === 'Plan changes')?.note, text];
  };
  expect(noteOf(1, 2)).toEqual(['of 2 decisions', 'Oldest first.']);
  expect(noteOf(2, 3)).toEqual([
    'of 2 decisions, since decision 2',
    'Oldest first. Decisions before number 2 are not in this report.',
  ]);
});
