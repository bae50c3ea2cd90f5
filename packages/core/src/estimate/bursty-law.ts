/**
 * Sojourn law of a stage under a rate that switches slowly between two levels.
 *
 * While a level lasts the stage is nearly steady, so requests see the law of the level they arrive in. A level too near the capacity
 * does not last long enough for its law to be reached: it is capped where the backlog of a steady state would outgrow what chance
 * gathers in that time. At a level above the capacity a backlog grows as a fluid and drains at the other level: the fluid queue of two
 * states has P(backlog > x) proportional to e^(−zx), z = 1 ÷ (T_high·a) − 1 ÷ (T_low·c), with a the excess and c the slack of capacity
 * (Anick, Mitra and Sondhi 1982, for one source).
 */
import type { RateSwitching } from './burstiness.js';
import { lawDepths, lawFractions, mixedLaw, type SojournLaw } from './sojourn-law.js';
import { type StageShape, type TableLaw, tableLaw } from './table-law.js';

/** Rates in items per ms. */
export interface SwitchedLoad {
  readonly meanPerMs: number;
  readonly capacityPerMs: number;
  readonly switching: RateSwitching;
}

const HIGHEST_LOAD = 0.97;
const CHANCE = 0.5;
const ATOMS: readonly number[] = [0.1, 0.35, 0.65, 0.9].map((fraction) => lawFractions.indexOf(fraction));

/** Highest load factor whose law a level of mean length `levelMs` can come near. */
function reachableLoad(load: SwitchedLoad): number {
  const { meanPerMs, capacityPerMs, switching } = load;
  const reachable = 1 - CHANCE / Math.sqrt(capacityPerMs * switching.meanHighMs);
  return Math.max(meanPerMs / capacityPerMs, Math.min(HIGHEST_LOAD, reachable));
}

/**
 * `law` plus an independent exponential time of mean `meanMs`. With the law as a few equally likely times b_0 < b_1 < …, the chance to
 * exceed x in [b_j, b_(j+1)) is (Σ_(i≤j) e^((b_i − x) ÷ m) + number of b_i beyond x) ÷ number of all, which solves for x.
 */
function plusExponential(law: SojournLaw, meanMs: number): SojournLaw {
  const bases = ATOMS.map((index) => law[index] as number);
  const origin = bases[0] as number;
  if (meanMs < 0.01 * ((bases.at(-1) as number) - origin)) return law;
  const sum = new Float64Array(law.length);
  for (let i = 0, j = 0, reached = 0; i < law.length; i++) {
    const above = bases.length * Math.exp(-(lawDepths[i] as number));
    for (; j < bases.length; j++) {
      const base = bases[j] as number;
      const beyond = bases.length - j;
      if (j > 0 && reached * Math.exp((origin - base) / meanMs) + beyond <= above) break;
      reached += Math.exp((base - origin) / meanMs);
    }
    sum[i] = origin + meanMs * Math.log(reached / (above - (bases.length - j)));
  }
  return sum;
}

/** Law of the stage under `load`, whose mean rate leaves it stable. */
export function burstyLaw(shape: StageShape, load: SwitchedLoad): TableLaw {
  const { meanPerMs, capacityPerMs, switching } = load;
  const { highFactor, lowFactor, meanHighMs, meanLowMs } = switching;
  const share = meanHighMs / (meanHighMs + meanLowMs);
  const [highPerMs, lowPerMs] = [highFactor * meanPerMs, lowFactor * meanPerMs];
  const reachablePerMs = reachableLoad(load) * capacityPerMs;
  const low = tableLaw(shape, Math.min(lowPerMs, reachablePerMs));
  const high = tableLaw(shape, Math.min(highPerMs, reachablePerMs));
  const highWeight = share * highFactor;
  const meanBatchSize = highWeight * high.meanBatchSize + (1 - highWeight) * low.meanBatchSize;
  if (highPerMs <= capacityPerMs) {
    return { law: mixedLaw(high.law, low.law, highWeight), meanBatchSize };
  }
  const excess = highPerMs - capacityPerMs;
  const slack = capacityPerMs - lowPerMs;
  const decayPerItem = 1 / (meanHighMs * excess) - 1 / (meanLowMs * slack);
  const behind = plusExponential(high.law, 1 / (decayPerItem * capacityPerMs));
  const draining = Math.min(1, (meanHighMs / meanLowMs) * (excess / slack));
  return { law: mixedLaw(behind, low.law, highWeight + (1 - highWeight) * draining), meanBatchSize };
}
