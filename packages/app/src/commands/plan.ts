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
import { msText, planSummary, planTable } from '../terminal/plan-table.js';
import type { CommandResult } from '../terminal/run-command.js';

/** Flags of the command, as commander gives them. */
export interface PlanOptions {
  readonly arrivalRps: number;
  readonly objective?: Objective['kind'];
  readonly accuracyFloor?: number;
  readonly weights?: string;
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

function objectiveOf(spec: PipelineSpec, { objective, accuracyFloor, weights }: PlanOptions): Objective {
  const kind =
    objective ?? (weights !== undefined ? 'weights' : accuracyFloor !== undefined ? 'min-cost' : spec.objective.kind);
  if (kind === 'max-accuracy') return { kind };
  if (kind === 'min-cost') {
    const floor = accuracyFloor ?? (spec.objective.kind === 'min-cost' ? spec.objective.accuracyFloor : undefined);
    if (floor === undefined)
      throw new AppError('WRONG_USAGE', 'min-cost needs an accuracy to keep: add --accuracy-floor, 0 to 1.');
    return { kind, accuracyFloor: floor };
  }
  if (weights !== undefined) return weightsOf(weights);
  if (spec.objective.kind === 'weights') return spec.objective;
  throw new AppError(
    'WRONG_USAGE',
    'The weights objective needs --weights accuracy,cost,batch, for example --weights 2,1,1e-6.',
  );
}

function weightsOf(text: string): Objective {
  const [accuracy, cost, batch, ...more] = text.split(',').map(Number);
  const given = [accuracy, cost, batch];
  if (more.length > 0 || !given.every((weight) => weight !== undefined && Number.isFinite(weight) && weight >= 0)) {
    throw new AppError(
      'WRONG_USAGE',
      `Expected three numbers of at least 0 for --weights, such as 2,1,1e-6; found ${JSON.stringify(text)}.`,
    );
  }
  return { kind: 'weights', accuracy: accuracy ?? 0, cost: cost ?? 0, batch: batch ?? 0 };
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

function bindingText(binding: Extract<PlanResult, { kind: 'infeasible' }>['bindingConstraint']): string {
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
