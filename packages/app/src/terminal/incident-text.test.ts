import { stripVTControlCharacters } from 'node:util';
import type { IncidentCard } from '@equipoise/core/diagnose';
import { stageId } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { incidentText } from './incident-text.js';

const window = { fromEpochMs: Date.UTC(2026, 2, 1, 12), toEpochMs: Date.UTC(2026, 2, 1, 12, 10) };
const harm = {
  requests: 1000,
  missed: 120,
  dropped: 100,
  failed: 5,
  late: 15,
  missedFraction: 0.12,
  allowedFraction: 0.01,
};

const incident: IncidentCard = {
  ...{ verdict: 'incident', harmful: true, ...window, harm },
  episode: { fromEpochMs: window.fromEpochMs + 60_000, toEpochMs: window.fromEpochMs + 90_000 },
  ...{ cause: 'slow-replica', stageId: stageId('classify'), replicaId: 'classify-small-2' },
  summary: 'replica classify-small-2 of stage classify takes 4.0 × as long as its peers',
  firstSignal: { atEpochMs: window.fromEpochMs + 55_000, text: 'batches of stage classify take longer' },
  evidence: [
    {
      text: 'service time of classify-small-2 ÷ that of the other replicas',
      measured: 4.02,
      expected: 1,
      low: 3.5,
      high: 4.6,
    },
  ],
  runnerUp: { cause: 'overload', stageId: stageId('count'), against: 'the load explains 1.1 × the work' },
  counterfactual: {
    text: 'with its peers’ speed, 0 of 900 requests miss the SLO',
    holds: true,
    requests: 900,
    missed: 0,
  },
};

const textOf = (card: IncidentCard) => stripVTControlCharacters(incidentText('shelf', card));

it('lays out an incident: harm, first signal, evidence, runner-up and what would have helped', () => {
  const text = textOf(incident);
  expect(text).toContain('shelf from 2026-03-01 12:00:00 to 2026-03-01 12:10:00: slow-replica at stage classify');
  expect(text).toContain('120 of 1000 requests missed the SLO (12.0 %; allowed 1.0 %): 100 dropped, 5 failed, 15 late');
  expect(text).toContain('2026-03-01 12:00:55: batches of stage classify take longer');
  expect(text).toMatch(/4\.02 .*3\.5 to 4\.6 .*1/);
  expect(text).toMatch(/Why not overload at stage count\nthe load explains/);
  expect(text).toMatch(/What would have helped\nwith its peers/);
});

it('is short if nothing is wrong, or nothing is known', () => {
  expect(textOf({ verdict: 'healthy', ...window, harm, text: 'no part deviates' })).toMatch(
    /: healthy\nno part deviates$/,
  );
  expect(textOf({ verdict: 'no-data', ...window, text: 'no second' })).toMatch(/\nno second$/);
});
