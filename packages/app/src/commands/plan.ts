/** `equipoise plan`: the best plan for a load, or why there is none and what would help. */
import {
  AppError,
  type Estimator,
  type Objective,
  optimize,
  type PipelineSpec,
  type Plan,
  type PlanningProblem,
  type PlanResult,
  type PolicyName,
  policies,
} from '@equipoise/core';
import pc from 'picocolors';
import { plannedHostCores } from '../compose/host-cores.js';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { verifierFor } from '../compose/verifier-for.js';
import type { ObjectiveWeights } from '../terminal/flag-values.js';
import { msText, planSummary, planTable } from '../terminal/plan-table.js';
import type { CommandResult } from '../terminal/run-command.js';

/** Flags of the command, as commander gives them. */
export interface PlanOptions {
  readonly arrivalRps: number;
  readonly objective?: Objective['kind'];
  readonly accuracyFloor?: number;
  readonly weights?: ObjectiveWeights;
  readonly sloMs?: number;
  readonly budgetCores?: number;
  readonly policy: PolicyName;
  readonly estimator: Estimator;
  readonly verify: boolean;
}

/** Plans the pipeline of `file`. */
export async function plan(file: string, options: PlanOptions): Promise<CommandResult> {
  const spec = overridden(await loadSpec(file), options);
  const profiles = profilesFor(spec, file);
  const problem: PlanningProblem = {
    spec,
    profiles,
    arrivalRps: options.arrivalRps,
    estimator: options.estimator,
    clock: { nowMs: () => performance.now() },
  };
  const verify = options.verify
    ? verifierFor(spec, profiles, { arrivalRps: options.arrivalRps, hostCores: plannedHostCores(spec) })
    : undefined;
  const policy = options.policy === 'equipoise' ? optimize : policies[options.policy];
  const result = policy(problem, verify);
  return { json: result, text: planText(result, options.arrivalRps), answerIsNo: result.kind === 'infeasible' };
}

function overridden(spec: PipelineSpec, options: PlanOptions): PipelineSpec {
  return {
    ...spec,
    slo: { ...spec.slo, ...(options.sloMs !== undefined && { latencyMs: options.sloMs }) },
    budget: { ...spec.budget, ...(options.budgetCores !== undefined && { cpuCores: options.budgetCores }) },
    objective: objectiveOf(spec, options),
  };
}

function objectiveOf(spec: PipelineSpec, options: PlanOptions): Objective {
  const { accuracyFloor, weights } = options;
  const kind = objectiveKind(spec, options);
  if (accuracyFloor !== undefined && kind !== 'min-cost') throw unusedFlag('--accuracy-floor', 'min-cost', kind);
  if (weights !== undefined && kind !== 'weights') throw unusedFlag('--weights', 'weights', kind);
  if (kind === 'min-cost' && accuracyFloor !== undefined) return { kind, accuracyFloor };
  if (kind === 'weights' && weights !== undefined) return { kind, ...weights };
  if (kind === 'max-accuracy') return { kind };
  if (kind === spec.objective.kind) return spec.objective;
  const missing =
    kind === 'min-cost'
      ? 'min-cost needs an accuracy to keep: add --accuracy-floor, 0 to 1.'
      : 'The weights objective needs --weights accuracy,cost,batch, for example --weights 2,1,1e-6.';
  throw new AppError('WRONG_USAGE', missing);
}

function objectiveKind(spec: PipelineSpec, { objective, accuracyFloor, weights }: PlanOptions): Objective['kind'] {
  if (objective !== undefined) return objective;
  if (weights !== undefined) return 'weights';
  return accuracyFloor !== undefined ? 'min-cost' : spec.objective.kind;
}

function unusedFlag(flag: string, itsObjective: string, kind: string): AppError {
  return new AppError(
    'WRONG_USAGE',
    `${flag} belongs to the objective ${itsObjective}, but ${kind} was asked for; leave one of them out.`,
  );
}

function planText(result: PlanResult, arrivalRps: number): string {
  if (result.kind === 'feasible') {
    const { optimal, gapFraction, upperBound } = result.certificate;
    const proof = optimal
      ? 'proven best for its latency estimate'
      : `within ${(100 * gapFraction).toFixed(2)} % of the best for its latency estimate`;
    const bound = `no plan that meets the SLO has an objective better than ${upperBound.toPrecision(4)}`;
    return [planTable(result.plan), planSummary(result.plan), pc.dim(`${proof}; ${bound}`)].join('\n');
  }
  const fixes = fixesText(result);
  return [
    `${pc.red('No plan')} meets the SLO at ${arrivalRps} rps: ${pc.bold(bindingText(result.bindingConstraint))}.`,
    ...(fixes.length === 0 ? [] : ['Any one of these would make it feasible:', ...fixes.map((fix) => `  · ${fix}`)]),
    ...bestEffortText(result.bestEffort),
  ].join('\n');
}

/** What makes a problem infeasible, in words. */
export function bindingText(binding: Extract<PlanResult, { kind: 'infeasible' }>['bindingConstraint']): string {
  const texts = {
    slo: 'the latency target is too tight',
    budget: 'the budget is too small',
    'accuracy-floor': 'the accuracy floor is too high',
    capacity: 'the allowed replicas cannot carry the load',
  } as const;
  return texts[binding];
}

function fixesText({ fixes }: Extract<PlanResult, { kind: 'infeasible' }>): readonly string[] {
  return [
    ...(fixes.slo === undefined ? [] : [`an SLO of ${msText(fixes.slo.latencyMs)} or more`]),
    ...(fixes.budget === undefined
      ? []
      : [
          `a budget of ${Object.entries(fixes.budget)
            .map(([kind, amount]) => `${kind} ${amount}`)
            .join(', ')}`,
        ]),
    ...(fixes.accuracyFloor === undefined ? [] : [`an accuracy floor of ${fixes.accuracyFloor.toFixed(3)} or less`]),
  ];
}

function bestEffortText(bestEffort: Plan | undefined): readonly string[] {
  return bestEffort === undefined ? [] : ['', 'Best effort:', planTable(bestEffort), planSummary(bestEffort)];
}
