/** From a choice that holds to a cheaper one that also does and is accurate enough: the loop with cost for its goal. */
import type { PlanningSetting } from '../problem/planning-setting.js';
import { type Judge, type JudgedChoice, LevelSearch } from './verified-search.js';

const ROUNDING = 1e-12;

/** The cheapest choice of at least this PAS, as far as the loop finds one; `held` itself where nothing cheaper holds. */
export function cheaperThatHolds(
  setting: PlanningSetting,
  judge: Judge,
  from: { readonly held: JudgedChoice; readonly pas: number },
): JudgedChoice {
  const objective = { kind: 'min-cost', accuracyFloor: from.pas * (1 - ROUNDING) } as const;
  return new LevelSearch({ ...setting, objective }, judge).betterThan(from.held);
}
