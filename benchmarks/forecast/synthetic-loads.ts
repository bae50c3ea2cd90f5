/** Poisson loads for two days, each with its own pattern. The first day trains. */
import { type Rng, SeededRng } from '@equipoise/core/model';
import { DAY_S } from './trace.js';

export interface SyntheticLoad {
  readonly name: string;
  readonly counts: readonly number[];
}

export const SYNTHETIC_SEED = 11;

type RateAt = (second: number) => number;

const patterns: Readonly<Record<string, (rng: Rng) => RateAt>> = {
  'wave of two hours': () => (second) => 60 + 30 * Math.sin((2 * Math.PI * second) / 7200),
  'levels of 1 to 10 min': (rng) => held(() => ({ rateRps: 5 + 75 * rng.next(), forS: 60 + 540 * rng.next() })),
  'bursts of 20 to 60 s': (rng) => {
    let high = true;
    return held(() => {
      high = !high;
      return high ? { rateRps: 60, forS: 20 + 40 * rng.next() } : { rateRps: 15, forS: 60 + 400 * rng.next() };
    });
  },
  'random walk': (rng) => {
    let walked = 0;
    return () => {
      walked += 0.01 * (rng.next() - 0.5) - 2e-5 * walked;
      return 30 * Math.exp(walked);
    };
  },
  'timer of 5 min': () => (second) => (second % 300 < 30 ? 50 : 20),
};

interface Held {
  readonly rateRps: number;
  readonly forS: number;
}

function held(next: () => Held): RateAt {
  let [rateRps, untilS] = [0, 0];
  return (second) => {
    if (second >= untilS) {
      const { rateRps: rate, forS } = next();
      [rateRps, untilS] = [rate, second + forS];
    }
    return rateRps;
  };
}

export function syntheticLoads(): readonly SyntheticLoad[] {
  return Object.entries(patterns).map(([name, patternOf]) => {
    const rng = new SeededRng(SYNTHETIC_SEED).fork(name);
    const rateAt = patternOf(rng);
    return { name, counts: Array.from({ length: 2 * DAY_S }, (_, second) => poissonCount(rng, rateAt(second))) };
  });
}

/** Arrivals of a Poisson process in one second. */
function poissonCount(rng: Rng, rateRps: number): number {
  const gapS = (): number => -Math.log(1 - rng.next()) / rateRps;
  let count = 0;
  for (let atS = gapS(); atS < 1; atS += gapS()) count += 1;
  return count;
}
