/** Streams of scores, and figures of the accuracy test over many seeds. */
import type { Rng } from '../../packages/core/src/kernel/rng.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { AccuracyTest } from '../../packages/core/src/serve/health/accuracy-test.js';

/** Score number `i` at an accuracy. */
type Draw = (accuracy: number, i: number) => number;

export interface Case {
  readonly name: string;
  readonly accuracy: number;
  readonly worse: number;
  /** Samples of the measurement that the test knows; undefined if it learns the accuracy. */
  readonly samples?: number;
  /** Scores before the change. */
  readonly before: number;
  /** Default: independent scores of 0 and 1. */
  readonly stream?: (rng: Rng) => Draw;
}

const independent =
  (rng: Rng): Draw =>
  (accuracy) =>
    rng.next() < accuracy ? 1 : 0;

/** Errors come in bursts of `length` scores on average, of which four fifths are errors. */
const inBursts =
  (length: number) =>
  (rng: Rng): Draw => {
    let isBurst = false;
    return (accuracy) => {
      const fraction = (1 - accuracy) / 0.8;
      const begins = fraction / (1 - fraction) / length;
      isBurst = rng.next() < (isBurst ? 1 - 1 / length : begins);
      return isBurst && rng.next() < 0.8 ? 0 : 1;
    };
  };

/** The accuracy swings by `points` to each side in 20,000 scores. */
const drifting =
  (points: number) =>
  (rng: Rng): Draw =>
  (accuracy, i) =>
    rng.next() < accuracy + points * Math.sin((2 * Math.PI * i) / 20_000) ? 1 : 0;

/** Scores such as the F1 of one answer: half of them 1, the others spread evenly. */
const graded =
  (rng: Rng): Draw =>
  (accuracy) => {
    const least = 4 * accuracy - 3;
    return rng.next() < 0.5 ? 1 : least + (1 - least) * rng.next();
  };

const usual = { accuracy: 0.9, worse: 0.85, before: 5_000 };
const compared = { accuracy: 0.92, worse: 0.875, before: 5_000 };

export const cases: readonly Case[] = [
  { ...usual, name: 'labels; measured on 10,000 samples', samples: 10_000 },
  { ...usual, name: 'labels; measured on 10,000 samples; worse from the start', samples: 10_000, before: 0 },
  { ...usual, name: 'labels; measured on 2,000 samples', samples: 2_000 },
  { ...usual, name: 'labels; measured on 2,000 samples; worse from the start', samples: 2_000, before: 0 },
  { ...usual, name: 'labels; measured on 200 samples', samples: 200 },
  { ...usual, name: 'labels; measured on 200 samples; worse from the start', samples: 200, before: 0 },
  { ...usual, name: 'labels; learned' },
  { ...usual, name: 'labels; learned; worse after 3,000', before: 3_000 },
  { ...compared, name: 'compared answers; agreement learned' },
  { ...compared, name: 'compared answers; agreement measured on 2,000 samples', samples: 2_000 },
  { ...usual, name: 'graded scores; measured on 2,000 samples', samples: 2_000, stream: graded },
  ...[3, 5, 20].map((length) => ({
    ...usual,
    name: `errors in bursts of ${length}; measured on 10,000 samples`,
    samples: 10_000,
    stream: inBursts(length),
  })),
  ...[1, 2, 3].flatMap((points) => [
    {
      ...usual,
      name: `drift of ± ${points}; measured on 10,000 samples`,
      samples: 10_000,
      stream: drifting(points / 100),
    },
    { ...usual, name: `drift of ± ${points}; learned`, stream: drifting(points / 100) },
  ]),
];

/** `early`: runs with an alarm before the change. Percentiles are scores since the change, of the other runs. */
export interface Figures {
  readonly falseAlarms: number;
  readonly early: number;
  readonly median: number;
  readonly p90: number;
  readonly missed: number;
}

const MOST = 20_000;

/** Runs seeds 0 to `runs` − 1. */
export function measureCase(tried: Case, runs: number): Figures {
  const seeds = Array.from({ length: runs }, (_, seed) => seed);
  const falseAlarms = seeds.filter((seed) => alarmAt(tried, seed, MOST, MOST) < MOST).length;
  const delays = seeds.map((seed) => alarmAt(tried, seed, tried.before, tried.before + MOST) - tried.before);
  const counted = delays.filter((delay) => delay >= 0).sort((a, b) => a - b);
  const at = (fraction: number) => counted[Math.floor(fraction * counted.length)] ?? Number.NaN;
  return {
    falseAlarms,
    early: runs - counted.length,
    median: at(0.5),
    p90: at(0.9),
    missed: counted.filter((delay) => delay === Number.POSITIVE_INFINITY).length,
  };
}

/** Number of scores until the test reports a drop; Infinity if it reports none. */
function alarmAt(tried: Case, seed: number, before: number, most: number): number {
  const rng = new SeededRng(seed);
  const draw = (tried.stream ?? independent)(rng);
  const test = new AccuracyTest(
    tried.samples === undefined ? undefined : measurement(tried.accuracy, tried.samples, rng),
  );
  for (let i = 0; i < most; i++) {
    test.note(draw(i < before ? tried.accuracy : tried.worse, i), i);
    if (test.drop !== undefined) return i + 1;
  }
  return Number.POSITIVE_INFINITY;
}

/** A measurement with independent samples and Wilson's interval. */
function measurement(accuracy: number, samples: number, rng: Rng) {
  let right = 0;
  for (let i = 0; i < samples; i++) if (rng.next() < accuracy) right += 1;
  const seen = right / samples;
  const few = 1.96 ** 2 / samples;
  const half = Math.sqrt(few * seen * (1 - seen) + few ** 2 / 4) / (1 + few);
  const center = (seen + few / 2) / (1 + few);
  return { accuracy: seen, confidence95: [center - half, center + half] as const };
}
