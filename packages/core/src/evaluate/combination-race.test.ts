import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { bootstrapScores, drawResamples, intervalOf } from './bootstrap.js';
import { CombinationRace, type RaceInput } from './combination-race.js';

const SAMPLES = 200;
const ALL = Array.from({ length: SAMPLES }, (_, sample) => sample);
const at95 = (samples: number) => ({ samples, z: 1.959964, unseenFraction: 1 });
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
    objective: { kind: 'max-accuracy' },
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
    expect(blocks).toEqual([{ samples: ALL, combinations: [0, 1, 2] }]);
    const resamples = drawResamples(ALL, new SeededRng(1));
    expect(results).toEqual(
      clear.map((outcomes) => {
        const score = (samples: readonly number[]) => meanOf(outcomes, samples);
        const [low, high] = intervalOf(bootstrapScores(ALL, resamples, score), at95(SAMPLES));
        const confidence95 = [low, high].map((end) => expect.closeTo(end, 5));
        return { accuracy: score(ALL), confidence95, samples: SAMPLES, verdict: 'kept' };
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

  it('runs the last combination that is left on all samples', () => {
    for (const outcomes of [clear.slice(2), clear]) {
      const { results } = raced(outcomes, { costs: outcomes.map((_, c) => [-c]) });
      const best = results.at(-1);
      expect(results.map(({ verdict }) => verdict)).toEqual([...outcomes.slice(1).map(() => 'dropped'), 'kept']);
      expect(best).toMatchObject({ samples: SAMPLES, accuracy: meanOf(outcomes.at(-1) as readonly number[], ALL) });
    }
  });

  it('goes on until the accuracies are certain enough for the objective', () => {
    const accuracyOf = (c: number) => meanOf(clear[c] as readonly number[], ALL);
    const samplesFor = (objective: RaceInput['objective'], budgetRuns?: number) => {
      const { results } = raced(clear, { objective }, budgetRuns);
      return results.filter(({ verdict }) => verdict !== 'dropped').map(({ samples, verdict }) => [samples, verdict]);
    };
    const [first, best] = samplesFor({ kind: 'max-accuracy' }) as [[number], [number]];
    expect(first[0]).toBeLessThan(SAMPLES / 2);
    // A floor far away costs nothing more, one next to an accuracy costs all samples of this combination.
    expect(samplesFor({ kind: 'min-cost', accuracyFloor: 0 })).toEqual([first, best]);
    const floor = { kind: 'min-cost', accuracyFloor: accuracyOf(0) + 0.001 } as const;
    const [near, far] = samplesFor(floor) as [[number], [number]];
    expect(near).toEqual([SAMPLES, 'kept']);
    expect(far[0]).toBeLessThan(SAMPLES);
    expect(samplesFor(floor, 200)[0]).toEqual([expect.any(Number), 'undecided']);
    const weighed = raced(clear, { objective: { kind: 'weights', accuracy: 1, cost: 1, batch: 0 } }).results;
    for (const c of [0, 2]) expect(Math.abs((weighed[c]?.accuracy as number) - accuracyOf(c))).toBeLessThan(0.01);
  });

  it('goes on while a score is undefined, as recall is without a positive sample', () => {
    const positives = new Set([3, 60, 61, 62, 130, 190]);
    const recall = (c: number, samples: readonly number[]) =>
      meanOf(
        clear[c] as readonly number[],
        samples.filter((sample) => positives.has(sample)),
      );
    for (let seed = 1; seed <= 5; seed++) {
      const { results } = raced(clear, { scoreOf: recall, seed });
      for (const { accuracy, confidence95, samples } of results) {
        expect(accuracy, `seed ${seed}`).toBeGreaterThanOrEqual(confidence95[0]);
        expect(accuracy).toBeLessThanOrEqual(confidence95[1]);
        expect(samples).toBeGreaterThan(16);
      }
    }
    const { results } = raced(clear, { scoreOf: () => Number.NaN });
    expect(results[0]).toMatchObject({ accuracy: Number.NaN, samples: SAMPLES });
  });

  it('repeats with its seed', () => {
    expect(raced(clear)).toEqual(raced(clear));
    expect(raced(clear, { seed: 2 }).blocks).not.toEqual(raced(clear).blocks);
  });
});

describe('intervalOf', () => {
  const intervalFor = (outcomes: readonly number[]) => {
    const numbers = Array.from(outcomes.keys());
    const resamples = drawResamples(numbers, new SeededRng(1));
    const scores = bootstrapScores(numbers, resamples, (samples) => meanOf(outcomes, samples));
    return intervalOf(scores, at95(numbers.length));
  };

  it('is that of a proportion: 0.8 ± 1.96·√(0.8·0.2/400)', () => {
    const [low, high] = intervalFor(Array.from({ length: 400 }, (_, index) => (index % 5 === 0 ? 0 : 1)));
    expect(Math.abs(low - (0.8 - 0.0392))).toBeLessThan(0.012);
    expect(Math.abs(high - (0.8 + 0.0392))).toBeLessThan(0.012);
  });

  it('has a width if all outcomes are equal: Wilson gives 16 of 16 at least 0.806', () => {
    expect(intervalFor(new Array(16).fill(1))).toEqual([expect.closeTo(0.806, 3), 1]);
    expect(intervalFor(new Array(16).fill(0))).toEqual([0, expect.closeTo(0.194, 3)]);
  });

  it('is wide if few samples count, and the whole range if none does', () => {
    const [low, high] = intervalFor([1, ...new Array(15).fill(Number.NaN)]);
    expect([low, high]).toEqual([0, 1]);
  });
});
