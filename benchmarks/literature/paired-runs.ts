/**
 * One cell: a pipeline, a load and a policy, paired with our planner in the same loop. At every tick `max-accuracy`
 * gets the cores of the policy's plan as its budget, and `min-cost` that plan's PAS as its floor. Everything else is
 * equal.
 */
import { arrivalRng, type ControlContext, controlPolicies, firstPlan, simulateControl } from '@equipoise/core/control';
import { forecasters } from '@equipoise/core/forecast';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { type Policy, type PolicyName, requireCurves } from '@equipoise/core/plan';
import { arrivalsOf, type LoadSpec, simulationReport, verifiersOf } from '@equipoise/core/simulate';
import { type GridPipeline, grid } from './grid.js';
import { dominated, type PlannedInterval } from './optimal-plans.js';
import { withPins } from './pipelines.js';

type Target = ReturnType<NonNullable<ControlContext['targetAt']>>;

/** PAS ×100. */
export interface RunFigures {
  readonly attainmentFraction: number;
  readonly pasPercent: number;
  readonly cpuCores: number;
  readonly p99Ms: number;
  readonly droppedFraction: number;
  readonly changes: number;
}

/**
 * Runs of one seed: the policy, our planner with the policy's cores as budget, and ours with the policy's PAS as floor.
 */
export interface PairedRuns {
  readonly seed: number;
  readonly policy: RunFigures;
  readonly maxAccuracy?: RunFigures;
  readonly minCost?: RunFigures;
}

/** Tick: forecast, cores and PAS (×100) of the plan in force from then on. */
export interface TickRow {
  readonly atS: number;
  readonly upperRps: number;
  readonly cpuCores: number;
  readonly pasPercent: number;
}

export interface CellFigures {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: PolicyName;
  readonly runs: readonly PairedRuns[];
  /** Fraction of measured intervals, over all seeds, without a better verified plan. */
  readonly optimalIntervalsFraction: number;
  /** Ticks of the first seed, in the order of `PairedRuns`. */
  readonly ticks: readonly (readonly TickRow[])[];
}

export interface CellQuestion {
  readonly load: string;
  readonly loadSpec: LoadSpec;
  readonly policy: PolicyName;
  readonly seeds: readonly number[];
}

interface OneRun {
  readonly figures: RunFigures;
  readonly ticks: readonly TickRow[];
  readonly intervals: readonly PlannedInterval[];
}

interface SeedRuns {
  readonly runs: PairedRuns;
  /** The policy's run, then our runs. */
  readonly all: readonly OneRun[];
}

const REMEMBERED = 200_000;

/** State that all runs of a pipeline in this process share: verdicts by rate and plan. */
export class CellBench {
  readonly #spec: PipelineSpec;
  readonly #curves: ReturnType<typeof requireCurves>;
  readonly #verifierAt: ControlContext['verifierAt'];
  /** One context for our runs, so that plans are cached. */
  readonly #ours: ControlContext;
  #targetAt: (atMs: number) => Target = () => ({});

  /** `fastLoop`: our loop detects bursts between plans. */
  constructor(published: PipelineSpec, { fastLoop }: { readonly fastLoop: boolean }) {
    const { control } = published;
    const spec = fastLoop ? { ...published, control: { ...control, fastIntervalMs: grid.fastIntervalMs } } : published;
    this.#spec = spec;
    this.#curves = requireCurves(spec, []);
    const hostCores = Number.POSITIVE_INFINITY;
    this.#verifierAt = verifiersOf({ spec, curves: this.#curves, hostCores, seed: 1, remembered: REMEMBERED });
    this.#ours = { ...this.#contextOf(spec, 'equipoise'), targetAt: (atMs) => this.#targetAt(atMs) };
  }

  cell({ load, loadSpec, policy, seeds: chosen }: CellQuestion): CellFigures {
    const theirs = this.#theirContext(policy, load);
    const seeds = chosen.map((seed) => this.#paired(theirs, loadSpec, seed));
    const intervals = policy === 'equipoise' ? [] : seeds.flatMap(({ all }) => all[0]?.intervals ?? []);
    const better = dominated({ spec: this.#spec, curves: this.#curves, verifierAt: this.#verifierAt }, intervals);
    return {
      pipeline: this.#spec.name,
      load,
      policy,
      runs: seeds.map(({ runs }) => runs),
      optimalIntervalsFraction: optimalFraction(intervals, better),
      ticks: seeds[0]?.all.map(({ ticks }) => ticks) ?? [],
    };
  }

  #paired(context: ControlContext, load: LoadSpec, seed: number): SeedRuns {
    const theirs = this.#run(context, load, seed);
    if (context.policy === controlPolicies.equipoise) return { runs: { seed, policy: theirs.figures }, all: [theirs] };
    const planAt = (atMs: number): Plan => {
      const interval = theirs.intervals.findLast((each) => each.atMs <= atMs) ?? theirs.intervals[0];
      if (interval === undefined) throw new Error('a run without any interval');
      return interval.plan;
    };
    const ours = (targetAt: (atMs: number) => Target): OneRun => {
      this.#targetAt = targetAt;
      return this.#run(this.#ours, load, seed);
    };
    const maxAccuracy = ours((atMs) => ({
      budget: { cpuCores: planAt(atMs).predicted.cpuCores },
      objective: { kind: 'max-accuracy' },
    }));
    const minCost = ours((atMs) => ({
      objective: { kind: 'min-cost', accuracyFloor: planAt(atMs).predicted.pas - 1e-9 },
    }));
    const figures = { maxAccuracy: maxAccuracy.figures, minCost: minCost.figures };
    return { runs: { seed, policy: theirs.figures, ...figures }, all: [theirs, maxAccuracy, minCost] };
  }

  /** The policy with its published threshold and fixed choices. */
  #theirContext(policy: PolicyName, load: string): ControlContext {
    const { pins, pinsByLoad, baseRps: published } = grid.pipelines[this.#spec.name] as GridPipeline;
    const chosen = pinsByLoad?.[load]?.[policy] ?? pins[policy];
    const context = this.#contextOf(withPins(this.#spec, chosen), policy);
    if (policy === 'equipoise') return context;
    const baseRps = published[policy] ?? published.default;
    const plan: Policy = (problem, verify) => context.policy.plan({ ...problem, baseRps }, verify);
    return { ...context, policy: { ...context.policy, plan } };
  }

  #contextOf(spec: PipelineSpec, policy: PolicyName): ControlContext {
    return {
      spec,
      profiles: [],
      curves: this.#curves,
      verifierAt: this.#verifierAt,
      policy: controlPolicies[policy],
      forecaster: forecasters[grid.forecaster],
    };
  }

  #run(context: ControlContext, load: LoadSpec, seed: number): OneRun {
    const first = firstPlan(context, load, seed);
    const run = simulateControl({
      context,
      seed,
      firstPlan: first,
      arrivals: arrivalsOf(load, arrivalRng(seed)),
      hostCores: Number.POSITIVE_INFINITY,
      measureFromMs: grid.excludeFirstS * 1000,
    });
    const report = simulationReport(context.spec, run);
    const dropped = report.requests - report.completed;
    let plan = first;
    const decided = run.decisions.map(({ atMs, decision }) => {
      if (decision.kind === 'apply') plan = decision.plan;
      const { forecast, load = { arrivalRps: forecast.upperRps } } = decision.evidence;
      return { atMs, plan, forecast, load };
    });
    const figures: RunFigures = {
      attainmentFraction: report.sloAttainmentFraction,
      pasPercent: 100 * report.pasMean,
      cpuCores: report.cpuCoresMean,
      p99Ms: report.latencyMs.p99,
      droppedFraction: dropped / Math.max(1, report.requests),
      changes: run.decisions.filter(({ decision }) => decision.kind === 'apply').length,
    };
    return {
      figures,
      ticks: decided.map(({ atMs, plan: { predicted }, forecast }) => ({
        atS: atMs / 1000,
        upperRps: forecast.upperRps,
        cpuCores: predicted.cpuCores,
        pasPercent: 100 * predicted.pas,
      })),
      intervals: [{ atMs: 0, plan: first, load: decided[0]?.load ?? { arrivalRps: 0 } }, ...decided],
    };
  }
}

const optimalFraction = (intervals: readonly PlannedInterval[], better: number): number => {
  const measured = intervals.filter(({ atMs }) => atMs >= grid.excludeFirstS * 1000).length;
  return measured === 0 ? 0 : 1 - better / measured;
};
