/** One instance: the planner's answer against that of the reference search. */
import { showsSloMet } from '@equipoise/core/model';
import { askPlanner, cpuSeconds, type PlannerAnswer } from './ask-planner.js';
import type { Instance } from './instance.js';
import { type Loss, PlanJudge, specOf, type Worth } from './plan-judge.js';
import { PlanSpace } from './plan-space.js';
import { type Origin, type ReferenceAnswer, ReferenceSearch } from './reference-search.js';

export interface InstanceResult {
  readonly index: number;
  readonly name: string;
  readonly small: boolean;
  readonly coreMode: string;
  readonly objective: string;
  readonly hasNodes: boolean;
  readonly arrivalRps: number;
  readonly planner: {
    readonly kind: string;
    readonly proven?: boolean;
    readonly worth?: Worth;
    readonly gapToBoundFraction?: number;
    readonly cpuS: number;
    readonly verifications: number;
    /** Verdict with three times the work and a seed that the planner does not use. */
    readonly independent?: 'holds' | 'inconclusive' | 'fails';
    /** True if the plan breaks budget, floor or nodes. */
    readonly breaksLimits?: boolean;
    /** CPU of `equipoise plan` as a process. */
    readonly processCpuS?: number;
  };
  readonly reference: {
    readonly worth?: Worth;
    readonly origin?: Origin;
    readonly stages?: unknown;
    readonly exhaustive: boolean;
    readonly simulations: number;
    readonly cpuS: number;
  };
  /** Loss of the planner's plan against the reference's, if both have a plan. */
  readonly loss?: Loss;
  /** True if the reference has a plan that holds, but the planner reports none. */
  readonly falseInfeasible: boolean;
}

export interface MeasureOptions {
  /** Simulated plans of each part of the reference search. */
  readonly simulations: number;
  readonly processCpuS?: (instance: Instance) => number | undefined;
}

export function measureInstance(index: number, instance: Instance, options: MeasureOptions): InstanceResult {
  const judge = new PlanJudge(specOf(instance), instance.arrivalRps);
  const answer = askPlanner(judge);
  const processCpuS = options.processCpuS?.(instance);
  const reference = cpuSeconds(() => {
    const space = new PlanSpace(judge, instance);
    return new ReferenceSearch(space, options.simulations).run(answer.plan ? [answer.plan.stages] : []);
  });
  const planner = answer.plan && judge.worth(answer.plan.stages);
  const best = reference.result.best?.worth;
  return {
    index,
    name: instance.name,
    small: instance.small,
    coreMode: instance.coreMode,
    objective: judge.spec.objective.kind,
    hasNodes: instance.nodeCores !== undefined,
    arrivalRps: instance.arrivalRps,
    planner: {
      ...plannerResult(judge, answer),
      ...(processCpuS !== undefined && { processCpuS }),
    },
    reference: { ...referenceResult(reference.result), cpuS: reference.cpuS },
    ...(planner && best && { loss: judge.loss(planner, best) }),
    falseInfeasible: planner === undefined && best !== undefined,
  };
}

function plannerResult(judge: PlanJudge, answer: PlannerAnswer): InstanceResult['planner'] {
  const { plan, ...rest } = answer;
  if (plan === undefined) return rest;
  const long = judge.verifiedLong(judge.planOf(plan.stages));
  const independent = showsSloMet(long) ? 'holds' : long.conclusive ? 'fails' : 'inconclusive';
  return {
    ...rest,
    worth: judge.worth(plan.stages),
    independent,
    ...(!judge.fits(plan.stages) && { breaksLimits: true }),
  };
}

function referenceResult({
  best,
  exhaustive,
  simulations,
}: ReferenceAnswer): Omit<InstanceResult['reference'], 'cpuS'> {
  return { ...(best && { worth: best.worth, origin: best.origin, stages: best.stages }), exhaustive, simulations };
}
