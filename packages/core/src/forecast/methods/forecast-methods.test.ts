import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { trainingPeaks } from '../peak-series.js';
import { fitted, predictionOf, smallTask } from './fitted.test-support.js';
import { forecastMethods } from './forecast-methods.js';

const rng = new SeededRng(4);
const noisy = Array.from({ length: 160 }, () => Math.floor(10 + 6 * rng.next() * rng.next()));

describe.each(forecastMethods.map((method) => [method.name, method] as const))('%s', (_name, method) => {
  const weights = fitted(method, noisy);

  it('gives the same weights for the same training and seed', () => {
    expect(fitted(method, noisy)).toEqual(weights);
  });

  it('keeps weights and memory through JSON', () => {
    const kept: unknown = JSON.parse(JSON.stringify(weights));
    expect(kept).toEqual(weights);
    const memory = noisy.slice(0, 30).reduce((seen, value) => method.observe(kept, seen, value), method.begin(kept));
    const keptMemory: unknown = JSON.parse(JSON.stringify(memory));
    expect(method.predict(kept, keptMemory)).toEqual(method.predict(weights, memory));
  });

  it('goes on with a fit that went through JSON', () => {
    const training = trainingPeaks(Float64Array.from(noisy), smallTask);
    const begun = method.fitStep(method.beginFit(training, 7), training);
    const kept = JSON.parse(JSON.stringify(begun)) as typeof begun;
    expect(kept).toEqual(begun);
    if (begun.doneSteps < begun.totalSteps)
      expect(method.fitStep(kept, training)).toEqual(method.fitStep(begun, training));
  });

  it('expects nothing before it has seen anything', () => {
    expect(predictionOf(method, weights, [])).toEqual({ pointRps: 0, upperRps: 0 });
  });

  it.each([[[]], [[7]], [[7, 8, 9, 8]]])('gives a finite answer after a training of %j and few values', (training) => {
    const scarce = fitted(method, training);
    for (const seen of [[12], [0, 0, 0, 0, 0], [12, 13, 12, 14]]) {
      const { pointRps, upperRps } = predictionOf(method, scarce, seen);
      expect(pointRps).toBeGreaterThanOrEqual(0);
      expect(upperRps).toBeGreaterThanOrEqual(pointRps);
      expect(upperRps).toBeLessThan(60);
    }
  });

  it('foretells a constant load', () => {
    const constant = new Array<number>(80).fill(20);
    const { pointRps, upperRps } = predictionOf(method, fitted(method, constant), constant.slice(0, 20));
    expect(pointRps).toBeGreaterThan(19.4);
    expect(pointRps).toBeLessThan(20.6);
    expect(upperRps).toBeLessThan(22);
  });

  it('covers about its share of a noisy load', () => {
    const fresh = Array.from({ length: 600 }, () => Math.floor(10 + 6 * rng.next() * rng.next()));
    let memory = method.begin(weights);
    let covered = 0;
    for (const [bin, value] of fresh.entries()) {
      const { upperRps } = method.predict(weights, memory);
      if (bin >= 10 && Math.max(value, fresh[bin + 1] ?? 0) <= upperRps) covered += 1;
      memory = method.observe(weights, memory, value);
    }
    expect(covered / 590).toBeGreaterThan(0.8);
    expect(covered / 590).toBeLessThan(0.99);
  });
});
