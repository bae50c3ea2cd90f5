import { SeededRng } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { unmet } from './bar.js';
import { bootstrapMean95 } from './bootstrap-interval.js';
import { type Generation, monitoringBars } from './monitoring.js';

const time = (us: number) => ({ routerUs: us, processUs: 1.5 * us });
const generation = (off: number, factors: Readonly<Record<'offAgain' | 'metrics' | 'traced', number>>): Generation => ({
  off: time(off),
  offAgain: time(off * factors.offAgain),
  metrics: time(off * factors.metrics),
  traced: time(off * factors.traced),
});

describe('the interval of a mean', () => {
  it('holds the mean in about 95 of 100 samples, also of five values', () => {
    const rng = new SeededRng(3);
    const sample = () => Array.from({ length: 5 }, () => rng.next() + rng.next() + rng.next());
    const intervals = Array.from({ length: 400 }, () => bootstrapMean95(sample()));
    const covered = intervals.filter(({ low, high }) => low <= 1.5 && high >= 1.5).length;
    expect(covered / intervals.length).toBeGreaterThan(0.9);
    expect(covered / intervals.length).toBeLessThan(0.99);
  });

  it('is without bounds for one value', () => {
    expect(bootstrapMean95([2])).toEqual({ mean: 2, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY });
  });
});

describe('the bars of metrics and traces', () => {
  const noise = [0.995, 1.004, 0.999, 1.006, 0.997];
  const figures = (metrics: number, traced: number, offAgain = 1) => ({
    generations: noise.map((factor, i) =>
      generation(200 + i, { offAgain: offAgain * factor, metrics: metrics * factor, traced: traced / factor }),
    ),
  });

  it('are met by costs of 2 % in all', () => {
    expect(unmet(monitoringBars(figures(1.01, 1.02)))).toEqual([]);
  });

  it('are missed by 5 %, and by two servers that differ although they do the same', () => {
    expect(unmet(monitoringBars(figures(1.01, 1.05)))).toHaveLength(2);
    expect(unmet(monitoringBars(figures(1.03, 1.03, 1.03))).join()).toContain('differ by noise only');
  });
});
