import { describe, expect, it } from 'vitest';
import type { SweepResults, SweptPoint } from '../sweep/sweep-results.js';
import { htmlPage, MOST_BYTES, plotsOf } from './page/html-page.js';
import { sweepPage } from './sweep-page.js';

const estimate = (mean: number) => ({ mean, low: 0.97 * mean, high: 1.02 * mean });

/** Plans of one long file. The first tenth misses the SLO; the others are the more accurate, the more they cost. */
function planPoint(i: number, count: number, at: SweptPoint['at'] = {}): SweptPoint {
  const cost = 1 + (i % 100) + i / count;
  const figures = {
    sloAttainmentFraction: estimate(i < count / 10 ? 0.8 : 0.999),
    pasMean: estimate(i % 40 === 39 ? 0.5 + cost / 300 : 0.4),
    ...{ cpuCoresMean: estimate(cost), costPerHourMean: estimate(cost), goodputRps: estimate(20) },
    droppedFraction: estimate(0.01),
    latencyMs: {
      ...{ mean: estimate(90), p50: estimate(80), p95: estimate(200), p99: estimate(250.5), p999: estimate(500) },
    },
  };
  return {
    ...{ subject: `${'folder/'.repeat(30)}plans.json#${i + 1}`, at, slo: { latencyMs: 400, percentile: 99 }, figures },
    verdict: i < count / 10 ? 'missed' : 'met',
  };
}

const sweepOf = (points: readonly SweptPoint[], axes: SweepResults['axes'] = []): SweepResults => ({
  ...{ kind: 'sweep', pipeline: 'p', load: 'poisson 20 rps 600 s', subjects: points.map(({ subject }) => subject) },
  ...{ axes, seeds: [1, 2, 3], excludeFirstS: 0, best: { cheapest: 300, mostAccurate: 1999 }, points },
});

const CUT = 'The page would be too large';

describe('the page of a large sweep', () => {
  const count = 2000;
  const page = sweepPage(sweepOf(Array.from({ length: count }, (_, i) => planPoint(i, count))));
  const html = htmlPage(page);

  it('keeps its figure and its table below the limit, and says how many points they show', () => {
    expect(Buffer.byteLength(html)).toBeLessThan(MOST_BYTES);
    expect(html).not.toContain(CUT);
    expect(html.match(/<figure/g)).toHaveLength(1);
    expect(html).toContain('a sample of the others by cost: 300 of 2000 points.');
    expect(html).toContain('The points of the first figure. points.csv has all 2000.');
    expect(html.match(/<tr>/g)?.length).toBeGreaterThan(300);
  });

  it('shows the whole frontier, the best points and some of each verdict', () => {
    const layers = plotsOf(page)[0]?.layers ?? [];
    const dots = layers.flatMap((layer) => (layer.kind === 'points' ? layer.points : []));
    expect(dots).toHaveLength(300);
    // Every fortieth plan from 240 on is on the frontier.
    expect(dots.filter(({ y }) => y > 0.45).length).toBeGreaterThanOrEqual(45);
    for (const index of [301, 2000]) expect(html).toContain(`plans.json#${index}</td>`);
    expect(layers.flatMap((layer) => (layer.kind === 'points' ? [layer.name] : []))).toHaveLength(2);
  });
});

it('thins the values along axes, and says so', () => {
  const values = Array.from({ length: 400 }, (_, i) => i + 1);
  const points = ['a', 'b', 'c'].flatMap((subject) =>
    values.map((arrivalRps, i) => ({ ...planPoint(i, 400, { arrivalRps }), subject })),
  );
  const axes = [{ name: 'arrival-rps', field: 'arrivalRps', values }];
  const html = htmlPage(sweepPage(sweepOf(points, axes)));
  expect(Buffer.byteLength(html)).toBeLessThan(MOST_BYTES);
  expect(html).not.toContain(CUT);
  expect(html).toContain('58 of 400 values.');
  expect(html.match(/<figure/g)).toHaveLength(5);
});

it('shows all points of a small sweep', () => {
  const html = htmlPage(sweepPage(sweepOf(Array.from({ length: 20 }, (_, i) => planPoint(i, 20)))));
  expect(html).toContain('All points</h2>');
  expect(html).not.toContain('points.csv');
});

it('says that a number counts the points of a plan under several loads, which are at one place', () => {
  const fixed = [10, 20, 40].map((arrivalRps) => ({ ...planPoint(7, 20, { arrivalRps }), subject: 'plan.json' }));
  const html = htmlPage(sweepPage(sweepOf([...fixed, planPoint(19, 20)])));
  expect(html).toContain('the number of points at one place');
  expect(html.match(/>×3</g)?.length).toBeGreaterThan(0);
  expect(htmlPage(sweepPage(sweepOf([planPoint(7, 20), planPoint(19, 20)])))).not.toContain('×');
});

it('says what the shape of the points means, even if all have the same verdict', () => {
  const html = htmlPage(sweepPage(sweepOf([planPoint(7, 20), planPoint(19, 20)])));
  expect(html).toContain('>verified: the SLO is met</text>');
});
