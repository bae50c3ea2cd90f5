import { beforeAll, describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { forecastMethods } from '../methods/forecast-methods.js';
import { peakSeries, USUAL_PEAK_TASK } from '../peak-series.js';
import { forecastFigures } from './forecast-figures.js';
import { forecastTrial, type Trial, type TrialProgress } from './forecast-trial.js';

const TRAIN_S = 16_000;
const SECONDS = 20_000;
/** Without the LSTM, whose fit takes too long. */
const methods = forecastMethods.filter(({ name }) => name !== 'lstm');

/** Starts of gaps, where counts are 0 for 200 s. The last is in the test part. */
const GAPS_S = [2000, 5000, 9000, 11_000, 14_000, 18_000];

/** Counts around a wave of half an hour, with these gaps. */
function trace(): number[] {
  const rng = new SeededRng(9);
  return Array.from({ length: SECONDS }, (_, second) => {
    const noise = rng.next() + rng.next() + rng.next() - 1.5;
    const inGap = GAPS_S.some((gapS) => second >= gapS && second < gapS + 200);
    return inGap ? 0 : Math.max(0, Math.round(16 + 10 * Math.sin((2 * Math.PI * second) / 1800) + 4 * noise));
  });
}

function tried(counts: readonly number[], keepZeros: boolean, onProgress?: (progress: TrialProgress) => void): Trial {
  const series = peakSeries(counts, { binS: 10, scale: 1, keepZeros });
  const request = { task: USUAL_PEAK_TASK, series, trainS: TRAIN_S, methods, seed: 1, clock: { nowMs: () => 0 } };
  return forecastTrial({ ...request, ...(onProgress !== undefined && { onProgress }) });
}

describe('forecastTrial', () => {
  const progress: TrialProgress[] = [];
  let trial: Trial;
  beforeAll(() => {
    trial = tried(trace(), true, (told) => progress.push(told));
  }, 60_000);

  it('tests on every bin from the end of the training on whose peak is known', () => {
    expect(trial.testBins[0]).toBe(TRAIN_S / 10);
    expect(trial.testBins.at(-1)).toBe(SECONDS / 10 - 2);
    expect(trial.inForce.pointsRps).toHaveLength(trial.testBins.length);
  });

  it.each([
    ['not worse with the gap, whose end nobody can know', () => true, 1],
    ['better without it', (second: number) => second < 17_980 || second >= 18_300, 0.92],
  ])('selects a method that learns: than any simple one it is %s', (_title, counts, ratio) => {
    const positions = [...trial.testBins.keys()].filter((i) => counts(10 * (trial.testBins[i] as number)));
    const simple = trial.methods
      .filter(({ name }) => ['last-value', 'last-two-max', 'window-max', 'window-mean', 'ewma'].includes(name))
      .map((method) => forecastFigures(method, 0.95, positions));
    const inForce = forecastFigures(trial.inForce, 0.95, positions);
    expect(['quantile-regression', 'boosted-trees', 'lag-network']).toContain(trial.selected);
    expect(inForce.pinballLoss).toBeLessThan(ratio * Math.min(...simple.map(({ pinballLoss }) => pinballLoss)));
    // The method is chosen by its quantile; its point error must be nearly the smallest.
    expect(inForce.smapeFraction).toBeLessThan(1.05 * Math.min(...simple.map(({ smapeFraction }) => smapeFraction)));
    expect(inForce.coverageFraction).toBeGreaterThan(0.92);
    expect(inForce.coverageFraction).toBeLessThan(0.98);
  });

  it('foretells nothing inside a gap and the load soon after it', () => {
    const forecastAt = (second: number) => Math.round(trial.inForce.pointsRps[(second - TRAIN_S) / 10] as number);
    expect(forecastAt(18_190)).toBe(0);
    expect(forecastAt(18_260)).toBeGreaterThan(5);
  });

  it('sees nothing before its time', () => {
    const changed = trace().map((count, second) => (second < 18_500 ? count : 3 * count));
    const other = tried(changed, true);
    const until = (18_500 - TRAIN_S) / 10 + 1;
    expect(other.methods.map(({ weights }) => weights)).toEqual(trial.methods.map(({ weights }) => weights));
    const [ours, others] = [trial, other].map(({ inForce }) => Array.from(inForce.uppersRps));
    expect(others?.slice(0, until)).toEqual(ours?.slice(0, until));
    expect(others?.slice(until)).not.toEqual(ours?.slice(until));
  });

  it('tells how far it is, to the end', () => {
    const done = progress.map(({ doneUnits }) => doneUnits);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(progress.at(-1)?.doneUnits).toBeGreaterThan(0.98 * (progress.at(-1)?.totalUnits ?? 0));
    expect(new Set(progress.map(({ totalUnits }) => totalUnits)).size).toBe(1);
  });

  it('has no figures without a bin to test on', () => {
    const short = tried(trace().slice(0, 200), false);
    expect(short.testBins).toHaveLength(0);
    expect(short.methods.every(({ pointsRps }) => pointsRps.length === 0)).toBe(true);
  });
});
