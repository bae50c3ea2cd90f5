/** Options per stage and variant for the beam search, with corrected times and without clearly dominated ones. */
import type { Objective } from '../../model/pipeline-spec.js';
import type { SurrogateOption } from '../options/surrogate.js';
import type { ChoiceJudge } from './choice-judge.js';
import type { PricedOption } from './fast-choices.js';

/** To dominate clearly, an option takes at most this fraction of the other's time and uses no more of anything. */
const CLEARLY = 0.7;

export function priceOf(objective: Objective, { option, costPerHour }: SurrogateOption): number {
  if (objective.kind !== 'weights') return costPerHour;
  return objective.cost * costPerHour + objective.batch * option.maxBatchSize;
}

function dominates(a: PricedOption, b: PricedOption): boolean {
  if (a.price > b.price || a.option.option.use.some((amount, r) => amount > (b.option.option.use[r] as number)))
    return false;
  const reachMs = CLEARLY * (b.times.meanMs + b.times.spreadMs);
  return a.times.meanMs <= CLEARLY * b.times.meanMs && a.times.meanMs + a.times.spreadMs <= reachMs;
}

/** Multiplies times by 1 ÷ (1 − load factor), to favour spare capacity. */
export function pessimistic(options: readonly PricedOption[], itemsRps: number): readonly PricedOption[] {
  return options.map((priced) => {
    const { capacityRps } = priced.option.option;
    const factor = 1 / Math.max(1e-3, 1 - itemsRps / capacityRps);
    const { meanMs, spreadMs, vague } = priced.times;
    return { ...priced, times: { meanMs: meanMs * factor, spreadMs: spreadMs * factor, vague } };
  });
}

/** Options by stage and variant position, with times corrected by the judge. */
export function classOptions(
  judge: ChoiceJudge,
  objective: Objective,
  stages: readonly (readonly SurrogateOption[])[],
): readonly ReadonlyMap<number, readonly PricedOption[]>[] {
  return stages.map((options, s) => {
    const byVariant = new Map<number, PricedOption[]>();
    for (const option of options) {
      const priced = { option, times: judge.correctedTimes(s, option.option), price: priceOf(objective, option) };
      const { variantIndex } = option.option;
      const list = byVariant.get(variantIndex);
      if (list === undefined) byVariant.set(variantIndex, [priced]);
      else list.push(priced);
    }
    return new Map(
      [...byVariant].map(([variant, list]) => [variant, list.filter((b) => !list.some((a) => dominates(a, b)))]),
    );
  });
}
