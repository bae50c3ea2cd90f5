import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { expect, it } from 'vitest';
import type { SecondRow } from './demo-record.js';
import { riseText } from './demo-text.js';
import { type LiveState, liveLine, liveView } from './live-view.js';

const loaded = await loadPipelineFile(
  fileURLToPath(new URL('../../../../examples/policies/pipeline.yaml', import.meta.url)),
);
if (loaded.kind === 'invalid') throw new Error('the example is valid');
const { spec } = loaded;

function stateOf(arrivals: readonly number[], forecastRps?: number): LiveState {
  const seconds = arrivals.map((arrived, atS): SecondRow => {
    const ended = { completed: arrived, withinSlo: arrived, dropped: 0, failed: 0 };
    return { atS, arrived, ...ended, p99Ms: undefined, pas: 0.8, capacityRps: 1 };
  });
  return { spec, durationS: 60, seconds, plans: [], forecastRps, running: { stages: {} }, queueLengths: [] };
}

const linesOf = (state: LiveState) => stripVTControlCharacters([liveLine(state), ...liveView(state)].join('\n'));

it('has no attainment before the first request', () => {
  expect(linesOf(stateOf([0]))).toContain('attainment –');
  expect(linesOf(stateOf([0]))).toContain('– within the SLO');
  expect(linesOf(stateOf([1]))).toContain('attainment 100.00 %');
});

it('has one decimal of rates below 10, as a mean over some seconds', () => {
  const small = linesOf(stateOf([9, 0, 1, 0, 0, 1], 0.62));
  expect(small).toContain('0.4 rps  p99');
  expect(small).toContain('0.4 rps   planned for 0.6 rps');
  expect(linesOf(stateOf([12, 13, 12, 13, 12], 31.5))).toContain('12 rps   planned for 32 rps');
});

it('has the peak of the load with its noun', () => {
  const text = (rps: number) => stripVTControlCharacters(riseText(rps));
  expect(text(0.62)).toContain('rises to 0.6 requests per second');
  expect(text(1.04)).toContain('rises to 1.0 request per second');
  expect(text(9.96)).toContain('rises to 10 requests per second');
});
