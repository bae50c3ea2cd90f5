/** One cell: a pipeline in a mode under a load, with one controller. */
import {
  arrivalRng,
  type ControllerRules,
  controlPolicies,
  firstPlan,
  simulateControl,
  usualGuardrails,
} from '@equipoise/core/control';
import { type Forecaster, smoothedRate } from '@equipoise/core/forecast';
import type { PipelineSpec } from '@equipoise/core/model';
import { arrivalsOf, simulationReport } from '@equipoise/core/simulate';
import type { ControlLoad } from './loads.js';
import { curvesOf, type Verifiers } from './pipelines.js';

/** Controllers: ours, a clairvoyant that knows the rate of the next 20 s, and ours without one of its parts. */
export const controllers = ['equipoise', 'clairvoyant', 'no-fast-loop', 'no-switching-cost', 'point-forecast'] as const;
export type ControllerName = (typeof controllers)[number];

/** Figures of a run, counted over arrivals after the first minute. */
export interface CellFigures {
  readonly arrived: number;
  readonly lost: number;
  readonly attainmentFraction: number;
  readonly pasMean: number;
  readonly cpuCoresMean: number;
  readonly p99Ms: number;
  readonly changes: number;
  /** Changes that the fast loop made. */
  readonly protections: number;
  /** Number of variant switches at the stage with the most switches. */
  readonly mostSwitches: number;
}

/** Input of a cell. */
export interface CellQuestion {
  readonly spec: PipelineSpec;
  readonly load: ControlLoad;
  readonly controller: ControllerName;
  readonly verifierAt: Verifiers;
  readonly seed: number;
}

const MEASURE_FROM_MS = 60_000;
const AHEAD_S = 20;

/** Runs a cell. Equal questions give equal answers. */
export function runCell({ spec, load, controller, verifierAt, seed }: CellQuestion): CellFigures {
  const context = rulesOf({ spec, load, controller, verifierAt });
  const run = simulateControl({
    ...{ context, seed, hostCores: Number.POSITIVE_INFINITY, measureFromMs: MEASURE_FROM_MS },
    firstPlan: firstPlan(context, load.spec, seed),
    arrivals: arrivalsOf(load.spec, arrivalRng(seed)),
  });
  const report = simulationReport(context.spec, run);
  const { tally, decisions } = run;
  const counted = decisions.filter(({ atMs, decision }) => atMs >= MEASURE_FROM_MS && decision.kind === 'apply');
  const switches = counted.flatMap(({ decision }) =>
    decision.kind === 'apply' ? decision.changes.filter(({ kind }) => kind === 'switch-variant') : [],
  );
  return {
    arrived: tally.arrived,
    lost: tally.arrived - tally.withinSlo,
    attainmentFraction: report.sloAttainmentFraction,
    pasMean: report.pasMean,
    cpuCoresMean: report.cpuCoresMean,
    p99Ms: report.latencyMs.p99,
    changes: counted.length,
    protections: counted.filter(({ decision }) => decision.evidence.burst !== undefined).length,
    mostSwitches: Math.max(0, ...spec.stages.map(({ id }) => switches.filter(({ stageId }) => stageId === id).length)),
  };
}

function rulesOf({ spec, load, controller, verifierAt }: Omit<CellQuestion, 'seed'>): ControllerRules {
  const usual: ControllerRules = {
    ...{ spec, profiles: [], curves: curvesOf(spec), verifierAt },
    policy: controlPolicies.equipoise,
    forecaster: smoothedRate,
    guardrails: usualGuardrails,
  };
  switch (controller) {
    case 'equipoise':
      return usual;
    case 'clairvoyant':
      return clairvoyant(usual, load.ratesRps);
    case 'no-fast-loop':
      return { ...usual, policy: { ...usual.policy, protects: false } };
    case 'no-switching-cost':
      return withoutSwitchingCost(usual);
    case 'point-forecast':
      return { ...usual, forecaster: pointOf(smoothedRate) };
  }
}

/** Uses the same planner, ticks and estimator; its forecast is the largest rate of the next 20 s. */
function clairvoyant(usual: ControllerRules, ratesRps: readonly number[]): ControllerRules {
  const { guardrails: _, ...rules } = usual;
  return {
    ...rules,
    policy: { ...usual.policy, protects: false },
    forecaster: (_load, _horizonMs, atMs) => {
      const from = Math.floor(atMs / 1000);
      const upperRps = Math.max(0, ...ratesRps.slice(from, from + AHEAD_S));
      return { method: 'clairvoyant', meanRps: upperRps, upperRps };
    },
  };
}

/**
 * Puts every plan in force as if no plan were running. Keeps the guardrails that bound steps, changes and forecasts.
 */
function withoutSwitchingCost(usual: ControllerRules): ControllerRules {
  const free = { leastSwitchSavingFraction: 0, leastSwitchPas: 0 };
  const plan: ControllerRules['policy']['plan'] = ({ runningPlan: _, ...problem }, verify) =>
    usual.policy.plan(problem, verify);
  return {
    ...usual,
    spec: { ...usual.spec, control: { ...usual.spec.control, minDwellMs: 0 } },
    policy: { ...usual.policy, keepsGoodPlans: false, plan },
    guardrails: { ...usualGuardrails, ...free },
  };
}

function pointOf(forecaster: Forecaster): Forecaster {
  return (...asked) => {
    const { meanRps } = forecaster(...asked);
    return { method: 'point', meanRps, upperRps: meanRps };
  };
}
