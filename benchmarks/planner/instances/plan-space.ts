/** All plans of a question: combinations of variants, and within each the options of the stages. */
import type { StageId, VariantId } from '@equipoise/core/model';
import type { Instance } from './instance.js';
import { type LatenciesOf, LatencyModel } from './latency-model.js';
import type { PlanJudge, StagePlans } from './plan-judge.js';
import { type StageOption, StageOptions } from './stage-options.js';

/** One option per stage, in the order of the stages. */
export type Config = readonly StageOption[];

export interface Combination {
  readonly pas: number;
  /** No config of this combination has a better value. */
  readonly valueBound: number;
  readonly leastCost: number;
  readonly choices: readonly (readonly StageOption[])[];
}

/** Multiple of the SLO. A plan that the model finds slower is not simulated. */
export const PLAUSIBLE = 1.12;
const MOST_CONFIGS = 6000;

export class PlanSpace {
  readonly judge: PlanJudge;
  readonly stages: readonly StageOptions[];
  readonly model: LatencyModel;
  readonly #index: ReadonlyMap<string, number>;

  constructor(judge: PlanJudge, { flow, loads }: Pick<Instance, 'flow' | 'loads'>) {
    this.judge = judge;
    this.stages = judge.spec.stages.map(
      (stage) => new StageOptions(judge, stage, loads[stage.id] ?? { visits: 1, groupSize: 1 }),
    );
    this.#index = new Map(judge.spec.stages.map(({ id }, i) => [id, i]));
    this.model = new LatencyModel(flow, this.stages[0]?.samples ?? 0);
  }

  plansOf(config: Config): StagePlans {
    return Object.fromEntries(config.map(({ stagePlan }, i) => [this.#idAt(i), [stagePlan]]));
  }

  /** Config of a plan; undefined if one of its stages has no such option. */
  configOf(plans: StagePlans): Config | undefined {
    const found = this.stages.map((options) => {
      const wanted = plans[options.stage.id]?.[0];
      const variant = options.variants.find(({ id }) => id === wanted?.variantId);
      return (variant === undefined ? [] : options.of(variant)).find(
        ({ stagePlan }) =>
          stagePlan.resources.cpuCores === wanted?.resources.cpuCores &&
          stagePlan.maxBatchSize === wanted.maxBatchSize &&
          stagePlan.replicas === wanted.replicas,
      );
    });
    return found.every((option) => option !== undefined) ? found : undefined;
  }

  misses(config: Config, multipleOfSlo = 1): number {
    return this.model.misses(this.#latenciesOf(config), this.judge.spec.slo.latencyMs * multipleOfSlo);
  }

  /** Latency at the percentile of the SLO, by the model alone. */
  latencyMs(config: Config): number {
    return this.model.quantileMs(this.#latenciesOf(config), this.judge.spec.slo.percentile / 100);
  }

  learn(config: Config, simulatedMs: number): void {
    this.model.learn(this.#latenciesOf(config), this.judge.spec.slo.percentile / 100, simulatedMs);
  }

  #latenciesOf(config: Config): LatenciesOf {
    return (stage) => (config[this.#index.get(stage) as number] as StageOption).latenciesMs;
  }

  /** Combinations that may hold, best bound first. */
  combinations(): readonly Combination[] {
    const found: Combination[] = [];
    const choices: (readonly StageOption[])[] = [];
    const names: VariantId[] = [];
    const visit = (stage: number): void => {
      const options = this.stages[stage];
      if (options === undefined) {
        const combination = this.#combination([...choices], names);
        if (combination !== undefined) found.push(combination);
        return;
      }
      for (const variant of options.variants) {
        const ofVariant = options.of(variant);
        if (ofVariant.length === 0) continue;
        choices[stage] = ofVariant;
        names[stage] = variant.id;
        visit(stage + 1);
      }
    };
    visit(0);
    return found.sort((a, b) => b.valueBound - a.valueBound || a.leastCost - b.leastCost);
  }

  #idAt(stage: number): StageId {
    return (this.judge.spec.stages[stage] as { id: StageId }).id;
  }

  #combination(choices: readonly (readonly StageOption[])[], names: readonly VariantId[]): Combination | undefined {
    const { objective, budget } = this.judge.spec;
    const least = (of: (option: StageOption) => number): number =>
      choices.reduce((sum, options) => sum + Math.min(...options.map(of)), 0);
    const choice = Object.fromEntries(names.map((name, i) => [this.#idAt(i), name]));
    if (!this.judge.isAllowed(choice)) return undefined;
    const pas = this.judge.accuracy(choice);
    if (objective.kind === 'min-cost' && pas < objective.accuracyFloor - 1e-9) return undefined;
    if (least(({ cpuCores }) => cpuCores) > (budget.cpuCores ?? Number.POSITIVE_INFINITY) + 1e-9) return undefined;
    const leastCost = least(({ cost }) => cost);
    const fewestItems = least(({ stagePlan }) => stagePlan.maxBatchSize);
    const valueBound =
      objective.kind === 'max-accuracy'
        ? pas
        : objective.kind === 'min-cost'
          ? -leastCost
          : objective.accuracy * pas - objective.cost * leastCost - objective.batch * fewestItems;
    return { pas, valueBound, leastCost, choices };
  }

  /** True unless even the fastest option of each stage is too slow. */
  mayHold({ choices }: Combination, multipleOfSlo: number): boolean {
    return this.misses(choices.map(fastestOf), multipleOfSlo) <= this.judge.allowedMisses;
  }

  /** Fitting configs of a combination, without dominated options; undefined if there are too many. */
  configsOf({ choices }: Combination, keep: (config: Config) => boolean): readonly Config[] | undefined {
    const reduced = choices.map(withoutDominated);
    if (reduced.reduce((count, { length }) => count * length, 1) > MOST_CONFIGS) return undefined;
    return reduced
      .reduce<Config[]>((heads, options) => heads.flatMap((head) => options.map((option) => [...head, option])), [[]])
      .filter((config) => this.judge.fits(this.plansOf(config)) && keep(config));
  }

  /** All configs, dominated ones too; undefined if more than `limit`. */
  allConfigs(
    combinations: readonly Combination[],
    { limit, keep }: { readonly limit: number; readonly keep: (config: Config) => boolean },
  ): readonly Config[] | undefined {
    const kept: Config[] = [];
    for (const { choices } of combinations) {
      if (choices.reduce((count, { length }) => count * length, 1) > limit * 20) return undefined;
      let heads: Config[] = [[]];
      for (const options of choices) heads = heads.flatMap((head) => options.map((option) => [...head, option]));
      for (const config of heads) if (keep(config)) kept.push(config);
      if (kept.length > limit) return undefined;
    }
    return kept;
  }
}

const fastest = new WeakMap<readonly StageOption[], StageOption>();

/** Imaginary option with the least latency of all at each rank. */
function fastestOf(options: readonly StageOption[]): StageOption {
  const known = fastest.get(options);
  if (known !== undefined) return known;
  const [first] = options as [StageOption, ...StageOption[]];
  const latenciesMs = first.latenciesMs.map((_, i) =>
    Math.min(...options.map((option) => option.latenciesMs[i] as number)),
  );
  const option = { ...first, latenciesMs };
  fastest.set(options, option);
  return option;
}

const reduced = new WeakMap<readonly StageOption[], readonly StageOption[]>();

function withoutDominated(options: readonly StageOption[]): readonly StageOption[] {
  const known = reduced.get(options);
  if (known !== undefined) return known;
  const kept = options.filter((option, i) => !options.some((other, j) => j !== i && dominates(other, option, j < i)));
  reduced.set(options, kept);
  return kept;
}

const criteria = ({ cost, memoryBytes, meanMs, tailMs, stagePlan }: StageOption): readonly number[] => [
  cost,
  memoryBytes,
  meanMs,
  tailMs,
  stagePlan.resources.cpuCores,
  stagePlan.maxBatchSize,
];

function dominates(a: StageOption, b: StageOption, isEarlier: boolean): boolean {
  const [ofA, ofB] = [criteria(a), criteria(b)];
  if (!ofA.every((value, i) => value <= (ofB[i] as number) + 1e-12)) return false;
  return isEarlier || ofA.some((value, i) => value < (ofB[i] as number) - 1e-12);
}
