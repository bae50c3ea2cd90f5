/** One run: a question under a load, with one policy and one seed. Equal input gives equal figures. */
import {
  arrivalRng,
  type ControlContext,
  type ControllerRules,
  controlPolicies,
  firstPlan,
  simulateControl,
  usualGuardrails,
} from '@equipoise/core/control';
import { forecasters } from '@equipoise/core/forecast';
import type { PipelineSpec, StagePins } from '@equipoise/core/model';
import { type Policy, type PolicyName, policies, requireCurves, type VerifyPlan } from '@equipoise/core/plan';
import { arrivalsOf, simulationReport, verifiersOf } from '@equipoise/core/simulate';
import { withinBudget } from '../../packages/core/src/control/baselines/budget-share.js';
import { handConfiguration, replicasFor } from '../../packages/core/src/control/baselines/hand-configuration.js';
import type { ObservingPolicy } from '../../packages/core/src/control/baselines/observing-policy.js';
import { simulateObserving } from '../../packages/core/src/control/baselines/simulate-observing.js';
import { type GridPipeline, grid } from '../literature/grid.js';
import { withPins } from '../literature/pipelines.js';
import { type BenchLoad, sampleArrivals, sampleCounts } from './loads.js';
import { PEAK_RPS, type Question } from './questions.js';

/** Figures of a run, counted after the first seconds. `accuracy`: mean of completed requests, a fraction. */
export interface CellFigures {
  readonly requests: number;
  readonly attainmentFraction: number;
  readonly accuracy: number;
  readonly cpuCores: number;
  readonly p99Ms: number;
  readonly droppedFraction: number;
  readonly changes: number;
}

const HOST_CORES = Number.POSITIVE_INFINITY;
const REMEMBERED = 200_000;

/** All runs of a question in one process. They share verdicts of the verification. */
export class QuestionBench {
  readonly #question: Question;
  readonly #curves: ControlContext['curves'];
  readonly #verifierAt: ControlContext['verifierAt'];
  readonly #rules = new Map<string, ControllerRules>();

  constructor(question: Question) {
    const { spec } = question;
    this.#question = question;
    this.#curves = requireCurves(spec, []);
    this.#verifierAt = verifiersOf({
      spec,
      curves: this.#curves,
      hostCores: HOST_CORES,
      seed: 1,
      remembered: REMEMBERED,
    });
  }

  /** Run of a policy that plans from a forecast, in the control loop. */
  planning(policy: PolicyName, load: BenchLoad, seed: number): CellFigures {
    const context = this.#sharedRules(policy, load);
    const run = simulateControl({
      context,
      seed,
      firstPlan: firstPlan(context, load.spec, seed),
      arrivals: arrivalsOf(load.spec, arrivalRng(seed)),
      hostCores: HOST_CORES,
      measureFromMs: load.excludeFirstS * 1000,
    });
    const changes = run.decisions.filter(({ decision }) => decision.kind === 'apply').length;
    return figuresOf(context.spec, run, changes);
  }

  /** Run of a policy that decides from measurements. `needsCluster`: gets a budget even if the question has none. */
  observing(
    policy: ObservingPolicy,
    load: BenchLoad,
    { seed, needsCluster = false }: ObservingRunOptions,
  ): CellFigures {
    const { spec: asked, clusterCores } = this.#question;
    const spec =
      needsCluster && asked.budget.cpuCores === undefined ? { ...asked, budget: { cpuCores: clusterCores } } : asked;
    const run = simulateObserving({
      policy,
      spec,
      seed,
      curves: this.#curves,
      sampleArrivalsPerSecond: sampleCounts(load.spec, seed),
      sampleArrivals: () => sampleArrivals(load.spec, seed),
      arrivals: arrivalsOf(load.spec, arrivalRng(seed)),
      hostCores: HOST_CORES,
      measureFromMs: load.excludeFirstS * 1000,
    });
    return figuresOf(spec, run, run.changes);
  }

  /** Runs of a policy share one object, because plans are cached by it. */
  #sharedRules(policy: PolicyName, load: BenchLoad): ControllerRules {
    const rules = this.#rulesOf(policy, load);
    const key = JSON.stringify([policy, rules.spec.stages.map(({ pins }) => pins)]);
    const known = this.#rules.get(key) ?? rules;
    this.#rules.set(key, known);
    return known;
  }

  /** Ours as shipped. Policies of the literature get the forecaster, thresholds and pins of their evaluation. */
  #rulesOf(policy: PolicyName, { name: load }: BenchLoad): ControllerRules {
    const { spec, pipeline } = this.#question;
    const common = {
      profiles: [],
      curves: this.#curves,
      verifierAt: this.#verifierAt,
      policy: controlPolicies[policy],
    };
    if (policy === 'equipoise')
      return { ...common, spec, forecaster: forecasters['smoothed-rate'], guardrails: usualGuardrails };
    const published = grid.pipelines[pipeline] as GridPipeline | undefined;
    const ofRim = policy === 'rim' && published === undefined ? this.#peakReplicas() : undefined;
    const pins = published?.pinsByLoad?.[load]?.[policy] ?? published?.pins[policy] ?? ofRim;
    const baseRps = published?.baseRps[policy] ?? published?.baseRps.default;
    const plan: Policy = (problem, verify) =>
      policies[policy](baseRps === undefined ? problem : { ...problem, baseRps }, verify);
    return {
      ...common,
      // These policies do not ask for verdicts, so none is simulated.
      ...(!common.policy.usesVerdicts && { verifierAt: () => unverified }),
      spec: withPins(spec, pins),
      forecaster: forecasters['window-maxima'],
      policy: { ...common.policy, plan },
    };
  }

  /** Replicas of the hand configuration for the peak, within the budget. */
  #peakReplicas(): Readonly<Record<string, StagePins>> {
    const { spec } = this.#question;
    const configurations = handConfiguration(spec, this.#curves);
    const wanted = configurations.map((each) => replicasFor(each, PEAK_RPS));
    const replicas = withinBudget(spec, configurations, wanted);
    return Object.fromEntries(configurations.map(({ stage }, i) => [stage.id, { replicas: replicas[i] ?? 1 }]));
  }
}

const unverified: VerifyPlan = (_, { latencyMs, percentile }) => ({
  latencyMs,
  percentile,
  sloAttainmentFraction: 0,
  conclusive: false,
  seeds: [],
});

interface ObservingRunOptions {
  readonly seed: number;
  readonly needsCluster?: boolean;
}

function figuresOf(spec: PipelineSpec, run: Parameters<typeof simulationReport>[1], changes: number): CellFigures {
  const report = simulationReport(spec, run);
  return {
    requests: report.requests,
    attainmentFraction: report.sloAttainmentFraction,
    accuracy: report.pasMean,
    cpuCores: report.cpuCoresMean,
    p99Ms: report.latencyMs.p99,
    droppedFraction: (report.requests - report.completed) / Math.max(1, report.requests),
    changes,
  };
}
