/** Gain of a choice over another, by the objective and then by the tie-breaker. */
import type { Objective } from '../../model/pipeline-spec.js';

export interface Standing {
  readonly pas: number;
  readonly price: number;
}

export const TIE = 1e-12;
export const COST_ROUNDING = 1e-9;
/** Weight of gain in the tie-breaker: cost at equal accuracy, or accuracy at equal cost. */
const SECONDARY = 0.05;

interface Criterion {
  readonly gain: number;
  readonly rounding: number;
}

function lexicographicGain(first: Criterion, second: Criterion): number {
  if (first.gain > first.rounding) return first.gain;
  return first.gain >= -first.rounding && second.gain > second.rounding ? SECONDARY * second.gain : 0;
}

/** 0 if not better. Without `than`, every choice gains. */
export function gainOver(objective: Objective, of: Standing, than: Standing | undefined): number {
  if (than === undefined) return objective.kind === 'min-cost' ? 1 / (1 + Math.max(0, of.price)) : 1e-6 + of.pas;
  if (objective.kind === 'weights') {
    const more = objective.accuracy * (of.pas - than.pas) + than.price - of.price;
    return more > TIE * Math.max(1, Math.abs(than.price)) ? more : 0;
  }
  const saved = { gain: (than.price - of.price) / Math.max(1e-12, Math.abs(than.price)), rounding: COST_ROUNDING };
  const gained = { gain: (of.pas - than.pas) / Math.max(1e-12, than.pas), rounding: TIE };
  return objective.kind === 'max-accuracy' ? lexicographicGain(gained, saved) : lexicographicGain(saved, gained);
}
