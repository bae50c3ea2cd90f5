import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { bootstrapScores, drawResamples, interval95 } from './bootstrap.js';
import { CombinationRace, type RaceInput } from './combination-race.js';

const SAMPLES = 200;
const meanOf = (outcomes: readonly number[], samples: readonly number[]): number =>
  samples.reduce((sum, sample) => sum + (outcomes[sample] as number), 0) / samples.length;

/** Outcomes of combinations by their chance to be right. They share the luck of a sample, so they correlate. */
function drawn(chances: readonly number[], seed: number): readonly (readonly number[])[] {
  const rng = new SeededRng(seed);
  const shared = Array.from({ length: SAMPLES }, () => rng.next());
  return chances.map((chance) => shared.map((luck) => ((rng.next() < 0.5 ? luck : rng.next()) < chance ? 1 : 0)));
}

/** A race of chances; by default the costs rise. Ends early if the runs (samples × combinations) reach `budgetRuns`. */
function raced(
  outcomes: readonly (readonly number[])[],
  over: Partial<RaceInput> = {},
  budgetRuns = Number.POSITIVE_INFINITY,
) {
  const race = new CombinationRace({
    sampleCount: SAMPLES,
    costs: outcomes.map((_, c) => [c]),
    confidence: 0.98,
    seed: 1,
    scoreOf: (c, samples) => meanOf(outcomes[c] as readonly number[], samples),
    ...over,
  });
  const blocks = [];
  let runs = 0;
  for (let block = race.next(); block !== undefined && runs < budgetRuns; block = race.next()) {
    blocks.push(block);
    runs += block.samples.length * block.combinations.length;
    race.finish(block, block.samples.length);
  }
  return { results: race.results(), blocks, runs };
}

describe('CombinationRace', () => {
  const clear = drawn([0.5, 0.2, 0.9], 7);

  it('drops what costs more for less, keeps what is better, and ends when all is certain', () => {
    const { results, runs, blocks } = raced(clear);
    expect(results.map(({ verdict, droppedFor }) => [verdict, droppedFor])).toEqual([
      ['kept', undefined],
      ['dropped', 0],
      ['kept', undefined],
    ]);
    expect(runs).toBeLessThan(0.5 * 3 * SAMPLES);
    const samples = blocks.flatMap((block) => block.samples);
    expect(new Set(samples).size).toBe(samples.length);
  });

  it('keeps a combination that is less accurate but cheaper in any cost', () => {
    const { results } = raced(clear, {
      costs: [
        [1, 5],
        [2, 4],
        [3, 6],
      ],
    });
    expect(results.map(({ verdict }) => verdict)).toEqual(['kept', 'kept', 'kept']);
  });

  it('runs equal combinations on all samples, and gives the exact score', () => {
    const [first] = clear as [readonly number[]];
    const { results } = raced([first, first]);
    const accuracy = meanOf(first, Array.from(first.keys()));
    expect(results).toEqual([0, 1].map(() => expect.objectContaining({ accuracy, samples: SAMPLES, verdict: 'kept' })));
  });

  it('says what is undecided when the caller stops it', () => {
    const { results, runs } = raced(drawn([0.6, 0.61, 0.1], 3), {}, 100);
    expect(runs).toBeLessThan(150);
    expect(results.map(({ verdict }) => verdict)).toEqual(['undecided', 'undecided', 'dropped']);
  });

  it('without a confidence runs all samples through all combinations in order', () => {
    const { results, blocks } = raced(clear, { confidence: undefined });
    const all = Array.from({ length: SAMPLES }, (_, sample) => sample);
    expect(blocks).toEqual([{ samples: all, combinations: [0, 1, 2] }]);
    const resamples = drawResamples(all, new SeededRng(1));
    expect(results).toEqual(
      clear.map((outcomes) => {
        const score = (samples: readonly number[]) => meanOf(outcomes, samples);
        const confidence95 = interval95(bootstrapScores(all, resamples, score));
        return { accuracy: score(all), confidence95, samples: SAMPLES, verdict: 'kept' };
      }),
    );
  });

  it('seldom orders two combinations other than all samples do, and its intervals cover the scores on all samples', () => {
    const wrong: number[] = [];
    let covered = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const outcomes = drawn([0.3, 0.66, 0.7, 0.9], seed);
      const { results } = raced(outcomes, { seed });
      const truth = outcomes.map((each) => meanOf(each, Array.from(each.keys())));
      const order = (of: readonly number[]) => Math.sign((of[1] as number) - (of[2] as number));
      if (order(results.map(({ accuracy }) => accuracy)) !== order(truth)) wrong.push(seed);
      for (const [c, { confidence95 }] of results.entries()) {
        const [low, high] = confidence95;
        if (low <= (truth[c] as number) && (truth[c] as number) <= high) covered += 1;
      }
    }
    expect(covered).toBeGreaterThan(0.85 * 4 * 40);
    expect(wrong.length, `seeds ${wrong.join()}`).toBeLessThanOrEqual(2);
  });

  it('repeats with its seed', () => {
    expect(raced(clear)).toEqual(raced(clear));
    expect(raced(clear, { seed: 2 }).blocks).not.toEqual(raced(clear).blocks);
  });
});

describe('interval95', () => {
  it('is that of a proportion: 0.8 ± 1.96·√(0.8·0.2/400)', () => {
    const outcomes = Array.from({ length: 400 }, (_, index) => (index % 5 === 0 ? 0 : 1));
    const numbers = Array.from(outcomes.keys());
    const resamples = drawResamples(numbers, new SeededRng(1));
    const [low, high] = interval95(bootstrapScores(numbers, resamples, (samples) => meanOf(outcomes, samples)));
    expect(Math.abs(low - (0.8 - 0.0392))).toBeLessThan(0.012);
    expect(Math.abs(high - (0.8 + 0.0392))).toBeLessThan(0.012);
  });
});
