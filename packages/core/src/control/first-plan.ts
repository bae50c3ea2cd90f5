/**
 * The plan that a simulated loop begins with: what its policy would have in force had the load been there before. The forecaster is shown
 * the load's own first interval, so that a run starts neither empty nor with knowledge of what comes later.
 */
import { type Rng, SeededRng } from '../kernel/rng.js';
import { AppError } from '../model/app-error.js';
import type { LoadObservation } from '../model/decision.js';
import type { Plan } from '../model/plan.js';
import { arrivalsOf, type LoadSpec } from '../simulate/arrivals/load-spec.js';
import type { ControlContext } from './on-tick.js';

/** Plans for the first interval of `load` as the seed draws it; AppError INFEASIBLE where the policy has no plan at all. */
export function firstPlan(context: ControlContext, load: LoadSpec, seed: number): Plan {
  const { profiles, policy, verifierAt } = context;
  const spec = { ...context.spec, ...context.targetAt?.(0) };
  const { intervalMs } = spec.control;
  const { upperRps } = context.forecaster(firstInterval(load, intervalMs, seed), intervalMs, 0);
  const problem = { spec, profiles, arrivalRps: upperRps, estimator: 'distribution' } as const;
  const result = policy.plan(problem, policy.usesVerdicts ? verifierAt({ arrivalRps: upperRps }) : undefined);
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan !== undefined) return plan;
  const binding = result.kind === 'infeasible' ? result.bindingConstraint : 'capacity';
  const rate = upperRps.toFixed(1);
  throw new AppError('INFEASIBLE', `No plan carries the ${rate} rps that the load begins with; ${binding} binds.`, {
    details: { bindingConstraint: binding, arrivalRps: upperRps },
  });
}

/** Arrivals per second of the first interval (its whole seconds, at least one). */
function firstInterval(load: LoadSpec, intervalMs: number, seed: number): LoadObservation {
  const arrivalsPerSecond = new Array<number>(Math.max(1, Math.floor(intervalMs / 1000))).fill(0);
  const arrivals = arrivalsOf(load, arrivalRng(seed));
  for (;;) {
    const atMs = arrivals.nextAtMs();
    if (atMs === undefined || atMs >= arrivalsPerSecond.length * 1000) return { arrivalsPerSecond };
    const second = Math.floor(atMs / 1000);
    arrivalsPerSecond[second] = (arrivalsPerSecond[second] ?? 0) + 1;
  }
}

/** Where the arrivals of a simulated run with this seed come from, apart from its service times. */
export const arrivalRng = (seed: number): Rng => new SeededRng(seed).fork('arrivals');
