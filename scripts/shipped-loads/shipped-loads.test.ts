import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseLoadFile } from '../../packages/runtime/src/load/load-file.js';
import { describeWithTool } from '../../packages/testkit/src/requires-tool.js';
import { type LoadStatistics, loadStatistics } from './load-statistics.js';
import { publishedCounts } from './reference-loads.js';
import { readModels, renderLoadFile } from './shipped-loads.js';

const referenceDir = process.env['EQUIPOISE_REFERENCE_DIR'] ?? '';
const names = Object.keys(readModels());

/** Figures of the published table. Rates may differ by a fraction or by 1 rps, counts by a fraction. */
const figures = ['requests', 'meanRps', 'minRps', 'medianRps', 'p95Rps', 'p99Rps', 'maxRps', 'stdRps'] as const;
const TOLERATED_FRACTION = 0.05;
const TOLERATED_RPS = 1;
const TOLERATED_CORRELATION = 0.1;

const textOf = (name: string) => readFileSync(new URL(`../../packages/app/loads/${name}.csv`, import.meta.url), 'utf8');
const shippedCounts = (name: string) => parseLoadFile(textOf(name), name);

/** Maximum difference of two autocorrelations. */
function correlationGap(ours: LoadStatistics, published: LoadStatistics): number {
  return Math.max(
    ...published.autocorrelationAt10s.map((value, i) => Math.abs(value - (ours.autocorrelationAt10s[i] ?? 0))),
  );
}

const changes = (counts: readonly number[]) => counts.slice(1).map((count, i) => count - (counts[i] ?? 0));

/** Correlation of two lists of mean 0. */
function correlation(left: readonly number[], right: readonly number[]): number {
  const products = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
  return products(left, right) / Math.sqrt(products(left, left) * products(right, right));
}

function tableLine(name: string, ours: LoadStatistics, published: LoadStatistics): string {
  const pairs = [...figures, 'dispersionAt10s' as const].map((figure) => {
    return `${figure} ${Number(ours[figure].toFixed(2))}/${Number(published[figure].toFixed(2))}`;
  });
  return `${name} (ours/published): ${pairs.join(', ')}, autocorrelation at most ${correlationGap(ours, published).toFixed(3)} apart`;
}

describe('shipped loads', () => {
  it('are four', () => {
    expect(names).toEqual(['bursty', 'fluctuating', 'steady-high', 'steady-low']);
  });

  it.each(Object.entries(readModels()))('%s comes from its model, byte for byte', (name, model) => {
    expect(renderLoadFile(name, model)).toBe(textOf(name));
    expect(shippedCounts(name).length).toBe(1200);
  });
});

describeWithTool(
  { name: 'reference', missing: 'set EQUIPOISE_REFERENCE_DIR', isPresent: () => existsSync(referenceDir) },
  'shipped loads against the published ones',
  () => {
    it.each(names)('%s has their figures and their autocorrelation at 30 lags of 10 s', (name) => {
      const [ours, published] = [shippedCounts(name), publishedCounts(referenceDir, name)].map(loadStatistics) as [
        LoadStatistics,
        LoadStatistics,
      ];
      process.stdout.write(`${tableLine(name, ours, published)}\n`);
      for (const figure of figures) {
        const fraction = TOLERATED_FRACTION * published[figure];
        const tolerated = figure === 'requests' ? fraction : Math.max(fraction, TOLERATED_RPS);
        expect(Math.abs(ours[figure] - published[figure]), figure).toBeLessThanOrEqual(tolerated);
      }
      expect(ours.autocorrelationAt10s.length).toBe(30);
      expect(correlationGap(ours, published)).toBeLessThan(TOLERATED_CORRELATION);
    });

    it.each(names)(
      '%s follows none of their seconds: from one second to the next both change independently',
      (name) => {
        const [ours, published] = [shippedCounts(name), publishedCounts(referenceDir, name)].map(changes);
        // Four standard errors of the correlation of 1199 changes; a copy with noise of the same spread has a
        // correlation of 0.5.
        expect(Math.abs(correlation(ours ?? [], published ?? []))).toBeLessThan(4 * Math.sqrt(1.5 / 1199));
      },
    );
  },
);
