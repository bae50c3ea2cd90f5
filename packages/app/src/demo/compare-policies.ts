/** Simulates fixed plans on the served load, from the measured profile. */
import { type PipelineSpec, type Plan, type ProfileSet, SeededRng } from '@equipoise/core/model';
import { type PolicyName, policies, requireCurves } from '@equipoise/core/plan';
import { simulatePlan, traceArrivals } from '@equipoise/core/simulate';
import { plannedHostCores, verifierFor } from '../compose/plan-verification.js';
import { servingHostCores } from '../compose/served-spec.js';
import { choiceText } from '../terminal/plan-table.js';
import type { ComparedRun } from './demo-page.js';

const SEED = 1;

/** Fixed plan for a rate; may be a best effort. */
export function fixedPlan(
  spec: PipelineSpec,
  profiles: ProfileSet,
  asked: { readonly policy: PolicyName; readonly arrivalRps: number },
): Plan | undefined {
  const { policy, arrivalRps } = asked;
  const verify = verifierFor(spec, profiles, { arrivalRps, hostCores: plannedHostCores(spec) });
  const result = policies[policy]({ spec, profiles, arrivalRps, estimator: 'distribution' }, verify);
  return result.kind === 'feasible' ? result.plan : result.bestEffort;
}

export function simulateFixed(
  spec: PipelineSpec,
  profiles: ProfileSet,
  run: { readonly name: string; readonly plan: Plan; readonly arrivalsPerSecond: readonly number[] },
): ComparedRun {
  const rng = new SeededRng(SEED);
  const arrivals = traceArrivals(run.arrivalsPerSecond, rng.fork('arrivals'));
  const { tally } = simulatePlan({
    spec,
    curves: requireCurves(spec, profiles),
    plan: run.plan,
    arrivals,
    rng,
    hostCores: servingHostCores(spec),
    drops: true,
  });
  const dropped = [...tally.dropped.values()].reduce((sum, count) => sum + count, 0);
  return {
    name: run.name,
    how: 'simulated',
    variants: choiceText(run.plan),
    totals: {
      arrived: tally.arrived,
      completed: tally.completed,
      dropped,
      failed: 0,
      sloAttainmentFraction: tally.arrived === 0 ? 1 : tally.withinSlo / tally.arrived,
      pasMean: run.plan.predicted.pas,
    },
  };
}
