/** One resampling of a case: plans by exhaustive and by budgeted evaluation, and the stage runs of both. */
import { combinationCosts } from '../../packages/core/src/evaluate/combination-costs.js';
import { CombinationRace } from '../../packages/core/src/evaluate/combination-race.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { optimize } from '../../packages/core/src/optimize/optimize.js';
import { type EvaluationCase, variantsOf } from './cases.js';

/** How the budgeted evaluation searches. */
export interface Search {
  readonly confidence: number;
  /** Fraction of the stage runs of the exhaustive evaluation. */
  readonly budgetFraction: number;
  /** The search knows the rates at which the plans are compared. */
  readonly knowsRates: boolean;
}

export interface Outcome {
  /** By rate: both evaluations lead to the same combination. */
  readonly same: readonly boolean[];
  /** Accuracy on all samples lost by the plan of the budgeted evaluation, by rate. */
  readonly lost: readonly number[];
  readonly stageRuns: number;
  readonly exhaustiveRuns: number;
}

export function compareOnce(of: EvaluationCase, seed: number, search: Search): Outcome {
  const { sampleCount, choices, spec } = of;
  const rng = new SeededRng(seed).fork('resample');
  // A resample of the recorded samples is the sample set of this run.
  const drawn = Array.from({ length: sampleCount }, () => Math.floor(rng.next() * sampleCount));
  const scoreOf = (combination: number, samples: readonly number[]): number =>
    of.score(
      combination,
      samples.map((sample) => drawn[sample] as number),
    );
  const variants = choices.map((choice) => variantsOf(spec, choice));
  const { ratesRps } = of;
  const rates = { leastRps: Math.min(...ratesRps), mostRps: Math.max(...ratesRps) };
  const costs = combinationCosts(spec, [], variants, search.knowsRates ? rates : undefined);
  const entered = costs.flatMap((cost, c) => (cost === undefined ? [] : [{ c, cost }]));
  const race = new CombinationRace({
    sampleCount,
    costs: entered.map(({ cost }) => cost),
    confidence: search.confidence,
    objective: spec.objective,
    seed,
    scoreOf: (position, samples) => scoreOf(entered[position]?.c as number, samples),
  });
  const everything = choices.map((_, c) => c);
  const exhaustiveRuns = drawn.reduce((sum, sample) => sum + runsOf(of, everything, sample), 0);
  const budgetRuns = search.budgetFraction * exhaustiveRuns;
  let stageRuns = 0;
  for (let block = race.next(); block !== undefined && stageRuns < budgetRuns; block = race.next()) {
    let samples = 0;
    for (const sample of block.samples) {
      if (stageRuns >= budgetRuns) break;
      stageRuns += runsOf(
        of,
        block.combinations.map((position) => entered[position]?.c as number),
        drawn[sample] as number,
      );
      samples += 1;
    }
    race.finish(block, samples);
  }
  const all = drawn.map((_, sample) => sample);
  const exact = choices.map((_, c) => scoreOf(c, all));
  const exhaustive = plansOf(of, exact);
  const estimates = choices.map(() => 0);
  race.results().forEach(({ accuracy }, position) => {
    estimates[entered[position]?.c as number] = accuracy;
  });
  const budgeted = plansOf(of, estimates);
  return {
    same: exhaustive.map((plan, rate) => plan === budgeted[rate]),
    lost: exhaustive.map((plan, rate) => (exact[plan] as number) - (exact[budgeted[rate] as number] as number)),
    stageRuns,
    exhaustiveRuns,
  };
}

/** Stage runs of one sample; equal prefixes run once. */
function runsOf(of: EvaluationCase, combinations: readonly number[], sample: number): number {
  const seen = new Set<string>();
  let runs = 0;
  for (const combination of combinations) {
    const choice = of.choices[combination] as readonly number[];
    for (let stage = 0; stage < choice.length; stage++) {
      const prefix = choice.slice(0, stage + 1).join();
      if (seen.has(prefix)) continue;
      seen.add(prefix);
      runs += of.items(stage, choice, sample);
    }
  }
  return runs;
}

/** Combination that the planner chooses, by rate. */
function plansOf({ spec, choices, ratesRps }: EvaluationCase, accuracies: readonly number[]): readonly number[] {
  const combinations = choices.map((choice, c) => ({
    variants: variantsOf(spec, choice),
    accuracy: accuracies[c] as number,
  }));
  return ratesRps.map((arrivalRps) => {
    const result = optimize({
      spec: { ...spec, accuracyTable: { combinations } },
      profiles: [],
      arrivalRps,
      estimator: 'distribution',
    });
    if (result.kind !== 'feasible') return -1;
    return choices.findIndex((choice) =>
      Object.entries(variantsOf(spec, choice)).every(
        ([stage, variant]) => result.plan.stages[stage as keyof typeof result.plan.stages]?.[0]?.variantId === variant,
      ),
    );
  });
}
