/**
 * The model of the shipped loads: a level with bursts, and noise around this rate.
 *
 *   rate(t)  = level + Σ height · σ((t − riseAt) ÷ rise) · (1 − σ((t − fallAt) ÷ fall)),   σ the logistic curve
 *   count(t) = rate(t) · (1 + drift · z₁₀) + √(dispersion · rate(t)) · z₁, rounded,   z standard normal, z₁₀ the same for 10 s, z₁ new each second
 *
 * Without bursts, the autocorrelation depends only on the random order of the 10-s blocks. If the model states an
 * autocorrelation, the blocks are ordered to have it.
 */
import { normalQuantile } from '../../packages/core/src/kernel/normal-quantile.js';
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { arrangeBlocks } from './arrange-blocks.js';

/** A burst; the S-shaped onset and decay take about four times `riseS` and `fallS`. */
export interface Burst {
  readonly heightRps: number;
  readonly riseAtS: number;
  readonly riseS: number;
  readonly fallAtS: number;
  readonly fallS: number;
}

/** The parameters of a load. */
export interface LoadModel {
  readonly durationS: number;
  readonly seed: number;
  readonly levelRps: number;
  /** Variance ÷ mean of a second's count around the rate. */
  readonly dispersion: number;
  /** Standard deviation of the rate between blocks of 10 s, as a fraction of the rate. */
  readonly driftFraction: number;
  readonly bursts: readonly Burst[];
  /** Autocorrelation of the counts in 10 s, from a lag of 10 s on. */
  readonly autocorrelationAt10s?: readonly number[];
}

const BLOCK_S = 10;

/** Counts per second of a load; the same model gives the same counts. */
export function countsOf(model: LoadModel): readonly number[] {
  const rng = new SeededRng(model.seed);
  const blocks = blocksOf(model, rng.fork('counts'));
  const { autocorrelationAt10s: wanted } = model;
  return (wanted === undefined ? blocks : arrangeBlocks(blocks, wanted, rng.fork('order'))).flat();
}

function blocksOf(model: LoadModel, rng: Rng): readonly (readonly number[])[] {
  return Array.from({ length: model.durationS / BLOCK_S }, (_, block) => {
    const drift = 1 + model.driftFraction * normal(rng);
    return Array.from({ length: BLOCK_S }, (_, i) => {
      const rps = rpsAt(model, block * BLOCK_S + i + 0.5);
      return Math.max(0, Math.round(rps * drift + Math.sqrt(model.dispersion * rps) * normal(rng)));
    });
  });
}

function rpsAt({ levelRps, bursts }: LoadModel, atS: number): number {
  return bursts.reduce((sum, { heightRps, riseAtS, riseS, fallAtS, fallS }) => {
    return sum + heightRps * logistic((atS - riseAtS) / riseS) * logistic((fallAtS - atS) / fallS);
  }, levelRps);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** A standard normal number, never infinite. */
function normal(rng: Rng): number {
  return normalQuantile(rng.next() * 0.999_999 + 0.000_000_5);
}
