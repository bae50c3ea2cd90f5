/**
 * Sojourn law of a stage whose load switches between two rates. The backlog is a Brownian motion with drift λ_i − C and
 * variance λ_i (Karandikar and Kulkarni, Operations Research 43, 1995). Its size follows a sum of two exponentials
 * e^(−zx). At a steady load factor ρ, the decay is z = 2·(1 − ρ) ÷ ρ per item. So each exponential is read from the
 * table at ρ = 1 ÷ (1 + z ÷ 2).
 */
import type { RateSwitching } from './burstiness.js';
import { lawDepths, mixLaws } from './sojourn-law.js';
import { type StageShape, type TableLaw, tableLaw } from './table-law.js';

/** Rates in items per ms. */
export interface SwitchedLoad {
  readonly meanPerMs: number;
  readonly capacityPerMs: number;
  readonly switching: RateSwitching;
}

/** Backlog that an arriving request finds: two decays per item; weight (0…1) of the slower decay. */
interface BacklogLaw {
  readonly slowDecay: number;
  readonly fastDecay: number;
  readonly slowWeight: number;
}

const HIGHEST_LOAD = 0.97;
/** Minimum variance, which keeps the equations regular for a level without arrivals. */
const LEAST_VARIANCE_FRACTION = 0.02;

/** Three real roots of z³ + a·z² + b·z + c, descending. */
function cubicRoots(a: number, b: number, c: number): readonly [number, number, number] {
  const p = a * a - 3 * b;
  const radius = Math.sqrt(Math.max(0, p));
  const cosine = radius === 0 ? 1 : (9 * a * b - 2 * a ** 3 - 27 * c) / (2 * radius ** 3);
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine))) / 3;
  const root = (turn: number): number => (2 * radius * Math.cos(angle - turn) - a) / 3;
  return [root(0), root((2 * Math.PI) / 3), root((4 * Math.PI) / 3)].sort((x, y) => y - x) as [number, number, number];
}

function backlogLaw({ meanPerMs, capacityPerMs, switching }: SwitchedLoad): BacklogLaw {
  const { highFactor, lowFactor, meanHighMs, meanLowMs } = switching;
  const share = meanHighMs / (meanHighMs + meanLowMs);
  const [toLow, toHigh] = [1 / meanHighMs, 1 / meanLowMs];
  const [highDrift, lowDrift] = [highFactor * meanPerMs - capacityPerMs, lowFactor * meanPerMs - capacityPerMs];
  const highHalf = (highFactor * meanPerMs) / 2;
  const lowHalf = Math.max(lowFactor, LEAST_VARIANCE_FRACTION) * (meanPerMs / 2);
  const lead = highHalf * lowHalf;
  const [fastDecay, slowDecay] = cubicRoots(
    (highHalf * lowDrift + lowHalf * highDrift) / lead,
    (highDrift * lowDrift - toHigh * highHalf - toLow * lowHalf) / lead,
    -(toHigh * highDrift + toLow * lowDrift) / lead,
  );
  const lowPerHigh = (z: number): number => (toLow - highDrift * z - highHalf * z * z) / toHigh;
  const [slow, fast] = [lowPerHigh(slowDecay), lowPerHigh(fastDecay)];
  const slowMass = (1 - share - fast * share) / (slow - fast);
  const highWeight = share * highFactor;
  const seen = (slowMass * highWeight) / share + (slowMass * slow * (1 - highWeight)) / (1 - share);
  return { slowDecay, fastDecay, slowWeight: Math.max(0, Math.min(1, seen)) };
}

/** Law for a given decay of the backlog per item. Beyond the table, quantiles grow like the exponential backlog. */
function lawOfDecay(shape: StageShape, capacityPerMs: number, decay: number): TableLaw {
  const loadFactor = 1 / (1 + decay / 2);
  if (loadFactor <= HIGHEST_LOAD) return tableLaw(shape, loadFactor * capacityPerMs);
  const { law, meanBatchSize } = tableLaw(shape, HIGHEST_LOAD * capacityPerMs);
  const knownDecay = (2 * (1 - HIGHEST_LOAD)) / HIGHEST_LOAD;
  const moreMs = (1 / decay - 1 / knownDecay) / capacityPerMs;
  for (let i = 0; i < law.length; i++) law[i] = (law[i] as number) + moreMs * (lawDepths[i] as number);
  return { law, meanBatchSize };
}

/** Law under `load`, whose mean rate must be stable. */
export function burstyLaw(shape: StageShape, load: SwitchedLoad): TableLaw {
  const { slowDecay, fastDecay, slowWeight } = backlogLaw(load);
  const slow = lawOfDecay(shape, load.capacityPerMs, slowDecay);
  const fast = lawOfDecay(shape, load.capacityPerMs, fastDecay);
  const meanBatchSize = slowWeight * slow.meanBatchSize + (1 - slowWeight) * fast.meanBatchSize;
  return { law: mixLaws(slow.law, fast.law, slowWeight), meanBatchSize };
}
