import { stageId } from '@equipoise/core';
import { expect, it } from 'vitest';
import { decisionText, learnedEdgeText } from './decision-text.js';

const edge = {
  ...{ edge: 0, from: stageId('detect'), to: stageId('classify'), kind: 'fan-out' as const },
  ...{ value: 5.9398, stated: 3, standardError: 0.0712, outputs: 1200 },
};

it('tells what traffic has taught of an edge, and that the file says otherwise', () => {
  expect(learnedEdgeText(edge)).toBe(
    'detect → classify: 5.94 items per output (the file says 3; ±0.0712, from 1200 outputs)',
  );
  expect(learnedEdgeText({ ...edge, kind: 'branch', value: 0.62, stated: 0.3 })).toBe(
    'detect → classify: taken by 0.62 of the outputs (the file says 0.3; ±0.0712, from 1200 outputs)',
  );
});

it('tells it with what a decision saw', () => {
  const evidence = { forecast: { method: 'given', meanRps: 4, upperRps: 5 }, learnedEdges: [edge] };
  const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan: { stages: {} } };
  const text = decisionText({
    pipelineName: 'p',
    record: {
      ...{ id: 1, atEpochMs: 0, observation: { ...observation, staleSources: [] } },
      decision: { kind: 'hold', reason: 'good', evidence },
    },
  });
  expect(text).toContain(learnedEdgeText(edge));
});
