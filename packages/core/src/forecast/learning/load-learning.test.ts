import { beforeAll, describe, expect, it } from 'vitest';

import { SeededRng } from '../../kernel/rng.js';
import type { Forecast } from '../../model/decision.js';
import { forecastMethods } from '../methods/forecast-methods.js';
import {
  initialLearning,
  type LearningRules,
  type LoadLearning,
  learnedForecast,
  learningSnapshot,
  observeLoad,
  resumeLearning,
  runTrainingStep,
} from './load-learning.js';
import { poissonCount } from './poisson-counts.test-support.js';

/** Without the LSTM, whose fit takes too long. */
const rules: LearningRules = { methods: forecastMethods.filter(({ name }) => name !== 'lstm'), seed: 1 };
const rateAt = (second: number) => 60 + 30 * Math.sin((2 * Math.PI * second) / 600);

const SECONDS = 16_000;

/** 4.5 hours of Poisson arrivals around a wave of ten minutes. */
function trace(): readonly number[] {
  const rng = new SeededRng(2);
  return Array.from({ length: SECONDS }, (_, second) => poissonCount(rng, rateAt(second)));
}

const counts = trace();
const loadAt = (second: number) => ({ arrivalsPerSecond: counts.slice(Math.max(0, second - 600), second) });

/** Ticks every 10 s from `from` to `to`, each followed by ten training steps. */
function learned(
  start: LoadLearning,
  from: number,
  to: number,
  told?: (second: number, is: { forecast: Forecast | undefined; fittedBins: number }) => void,
) {
  let learning = start;
  for (let second = from + 10; second <= to; second += 10) {
    learning = observeLoad(learning, loadAt(second), 1000 * second, rules);
    told?.(second, { forecast: learnedForecast(learning, loadAt(second)), fittedBins: learning.fittedBins });
    for (let step = 0; step < 10; step++) learning = runTrainingStep(learning, rules);
  }
  return learning;
}

describe('learning the load', () => {
  const forecasts = new Map<number, Forecast | undefined>();
  const fitted: number[] = [];
  let before: LoadLearning;
  let end: LoadLearning;
  beforeAll(() => {
    const note = (second: number, is: { forecast: Forecast | undefined; fittedBins: number }) => {
      forecasts.set(second, is.forecast);
      fitted.push(is.fittedBins);
    };
    before = learned(initialLearning, 0, 14_000, note);
    end = learned(before, 14_000, SECONDS, note);
  }, 120_000);

  it('foretells nothing before there is an hour of history', () => {
    expect(forecasts.get(3600)).toBeUndefined();
    expect(forecasts.get(4200)).toBeDefined();
  });

  it('takes networks and trees in when there are four hours', () => {
    const names = (learning: LoadLearning) => learning.backtest?.entries.map(({ method }) => method);
    expect(names(end)).toEqual(rules.methods.map(({ name }) => name));
    const large = ['boosted-trees', 'lag-network'];
    expect(names(before)).toEqual(rules.methods.map(({ name }) => name).filter((name) => !large.includes(name)));
  });

  it('foretells rates, not peaks: the rate of the next 20 s stays below the upper one nearly always, and not far below', () => {
    const told = [...forecasts].flatMap(([second, forecast]) =>
      forecast && second <= 14_000 ? [{ second, forecast }] : [],
    );
    const highest = (second: number) => Math.max(...Array.from({ length: 21 }, (_, s) => rateAt(second + s)));
    const covered = told.filter(({ second, forecast }) => highest(second) <= forecast.upperRps);
    expect(covered.length / told.length).toBeGreaterThan(0.95);
    const excess =
      told.reduce((sum, { second, forecast }) => sum + forecast.upperRps / highest(second), 0) / told.length;
    expect(excess).toBeLessThan(1.2);
    for (const { forecast } of told) expect(forecast.meanRps).toBeLessThanOrEqual(forecast.upperRps);
  });

  it('fits again when the history has doubled or is enough for one more method', () => {
    expect([...new Set(fitted)]).toEqual([0, 360, 720, 1440]);
  });

  it('goes on from JSON at any point as if nothing had happened', () => {
    const half = learned(initialLearning, 0, 3650);
    expect(half.round?.scores.length).toBeGreaterThan(0);
    const copy = JSON.parse(JSON.stringify(half)) as LoadLearning;
    const [one, other] = [copy, half].map((learning) => learned(learning, 3650, 4200));
    expect(one).toEqual(other);
    expect(one?.backtest).toBeDefined();
  });

  it('resumes with the weights and scores that were kept', () => {
    const kept = JSON.parse(JSON.stringify(learningSnapshot(end)));
    const resumed = resumeLearning(kept, rules);
    expect(learnedForecast(resumed, loadAt(SECONDS))).toEqual(learnedForecast(end, loadAt(SECONDS)));
    expect(learningSnapshot(initialLearning)).toBeUndefined();
  });

  it('resumes without a method that a newer version does not have', () => {
    const kept = learningSnapshot(end);
    if (kept === undefined) throw new Error('it has learned');
    const forecasters = kept.forecasters.map((each, i) =>
      i === kept.selected ? { ...each, method: 'removed' } : each,
    );
    const resumed = resumeLearning({ ...kept, forecasters }, rules);
    expect(learnedForecast(resumed, loadAt(SECONDS))).toBeUndefined();
    const later = [0, 10].reduce(
      (learning, passed) => observeLoad(learning, loadAt(SECONDS), 1000 * (SECONDS + passed), rules),
      resumed,
    );
    const forecast = learnedForecast(later, loadAt(SECONDS));
    expect(rules.methods.map(({ name }) => name)).toContain(forecast?.method);
    expect(forecast?.upperRps).toBeGreaterThan(0);
  });

  it('does not talk away a rise that no method has seen', () => {
    const arrivalsPerSecond = [...counts.slice(-595), 900, 900, 900, 900, 900];
    const forecast = learnedForecast(end, { arrivalsPerSecond });
    expect(forecast?.upperRps).toBeGreaterThan(850);
    expect(forecast?.meanRps).toBeGreaterThan(850);
  });

  it('has no forecast where the method in force has none', () => {
    const { backtest } = end;
    if (backtest === undefined) throw new Error('it has learned');
    const silent = { ...backtest, entries: backtest.entries.map((entry) => ({ ...entry, pending: [undefined] })) };
    expect(learnedForecast({ ...end, backtest: silent }, loadAt(SECONDS))).toBeUndefined();
  });
});
