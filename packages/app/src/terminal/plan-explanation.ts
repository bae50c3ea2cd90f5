import {
  bindingText,
  type DecisionEvidence,
  type Objective,
  type Plan,
  type PlanResult,
  type StageId,
} from '@equipoise/core/model';
import type { ChangedOutcome, PlanExplanation, RejectedVariant, StageExplanation } from '@equipoise/core/plan';
import pc from 'picocolors';
import { fractionText, msText, percentText, uncertainText } from './plan-table.js';
import { textTable } from './text-table.js';

export interface Explained {
  readonly explanation: PlanExplanation;
  readonly plan: Plan;
  readonly objective: Objective;
  /** For a robust plan: the best plan for service times as profiled. */
  readonly nominal?: PlanResult | undefined;
  readonly uncertainPoints?: DecisionEvidence['uncertainPoints'];
  /** Network time by stage. */
  readonly networkMs?: Readonly<Record<string, number>>;
}

export function explanationText(explained: Explained): string {
  return [
    pc.bold('What more would give'),
    changesTable(explained),
    pc.bold('Stage by stage'),
    stagesTable(explained),
    bindingLine(explained.explanation),
    '',
    pc.bold('Why other variants lost'),
    rejectedText(explained),
    ...uncertaintyTexts(explained),
    ...networkTexts(explained),
    pc.dim(
      'Each change is a new plan; other variants are pinned in a solve with the latency estimate that found the plan.',
    ),
  ].join('\n');
}

function networkTexts({ networkMs = {} }: Explained): readonly string[] {
  const stages = Object.entries(networkMs);
  if (stages.length === 0) return [];
  const each = stages.map(([stage, ms]) => `${stage} ${ms} ms`);
  return ['', `Network time in each batch: ${each.join(', ')}`];
}

function uncertaintyTexts({ plan, uncertainPoints = [] }: Explained): readonly string[] {
  const used = uncertainPoints.filter(({ stageId, variantId, cpuCores, batchSize }) =>
    plan.stages[stageId]?.some(
      (of) =>
        of.variantId === variantId &&
        [of.resources.cpuCores, Math.max(1, of.resources.cpuCores)].includes(cpuCores) &&
        batchSize <= of.maxBatchSize,
    ),
  );
  if (used.length === 0) return [];
  return ['', pc.bold('Uncertain service times that the plan uses'), ...used.map((of) => `  ${uncertainText(of)}`)];
}

export function rejectedText(explained: Explained): string {
  const stages = Object.entries(explained.explanation.stages);
  return stages.flatMap(([id, stage]) => rejectedLines(id, stage, explained)).join('\n');
}

const right = (title: string) => ({ right: title });

function valueText(objective: Objective, value: number): string {
  if (objective.kind === 'max-accuracy') return fractionText(value);
  return objective.kind === 'min-cost' ? value.toFixed(2) : String(Number(value.toPrecision(5)));
}

const valueNames = { 'max-accuracy': 'accuracy', 'min-cost': 'cost per hour', weights: 'objective' } as const;

function changesTable({ explanation, objective, plan, nominal }: Explained): string {
  const { oneMoreCore, tenMoreMs, tenPercentMoreLoad, value } = explanation;
  const row = (change: string, outcome: ChangedOutcome) => {
    if (outcome.value === undefined) return [change, 'no plan', '', '', ''];
    const gain = outcome.value - value;
    const sign = gain < 0 ? '−' : '+';
    const changed = outcome.changedStages.join(', ') || 'none';
    const gainText = Math.abs(gain) < 1e-9 ? '0' : `${sign}${valueText(objective, Math.abs(gain))}`;
    const cost = outcome.costPerHour?.toFixed(2) ?? '';
    return [change, valueText(objective, outcome.value), gainText, cost, changed];
  };
  const rows = [
    ...(oneMoreCore === undefined ? [] : [row('one more core', oneMoreCore)]),
    row('10 ms more SLO', tenMoreMs),
    row('10 % more load', tenPercentMoreLoad),
    ...(nominal === undefined ? [] : [row('service times as profiled', outcomeOf(nominal, plan))]),
  ];
  return textTable(
    ['change', right(valueNames[objective.kind]), right('difference'), right('at cost'), 'stages that change'],
    rows,
  );
}

function outcomeOf(result: PlanResult, before: Plan): ChangedOutcome {
  if (result.kind !== 'feasible') return { changedStages: [] };
  const { plan, objectiveValue: value } = result;
  const isChanged = ([id, of]: [string, unknown]) =>
    JSON.stringify(of) !== JSON.stringify(before.stages[id as StageId]);
  const changedStages = Object.entries(plan.stages)
    .filter(isChanged)
    .map(([id]) => id as StageId);
  return { value, costPerHour: plan.predicted.costPerHour, changedStages };
}

/** Omitted stages have no figures. */
function stagesTable({ explanation, plan }: Explained): string {
  const rows = Object.keys(plan.stages).map((id) => {
    const stage = explanation.stages[id as StageId];
    if (stage === undefined) return [id, pc.dim('omitted'), '', '', ''];
    const { latencyMs, sloFraction, costFraction, capacityRps } = stage;
    return [
      id,
      msText(latencyMs),
      percentText(sloFraction),
      percentText(costFraction),
      `${capacityRps.toFixed(1)} rps`,
    ];
  });
  return textTable(['stage', ...['latency', 'of the SLO', 'of the cost', 'carries'].map(right)], rows);
}

function bindingLine({ binding, stages, holdsUntilRps }: PlanExplanation): string {
  const of = (id: StageId): StageExplanation | undefined => stages[id];
  const parts = [
    `latency is bound by ${pc.bold(binding.latency)} (${percentText(of(binding.latency)?.sloFraction ?? 0)} of the SLO)`,
    `cost by ${pc.bold(binding.cost)} (${percentText(of(binding.cost)?.costFraction ?? 0)})`,
    `capacity by ${pc.bold(binding.capacity)} (${(of(binding.capacity)?.capacityRps ?? 0).toFixed(1)} rps)`,
  ];
  return `${parts.join(', ')}; this very plan holds until ${pc.bold(`${holdsUntilRps.toFixed(1)} rps`)}`;
}

function rejectedLines(id: string, { nextBetter, nextCheaper }: StageExplanation, explained: Explained): string[] {
  const chosen = explained.plan.stages[id as StageId]?.[0]?.variantId ?? '';
  const line = (kind: string, rejected: RejectedVariant | undefined) =>
    `  ${kind}, ${rejected === undefined ? 'there is none' : `${pc.bold(rejected.variantId)}: ${verdictText(rejected, explained)}`}`;
  return [`${id} runs ${pc.bold(chosen)}`, line('next better', nextBetter), line('next cheaper', nextCheaper)];
}

function verdictText({ verdict }: RejectedVariant, { explanation, plan, objective }: Explained): string {
  if (verdict.kind === 'impossible') return `no plan with it, ${bindingText(verdict.bindingConstraint)}`;
  const cost = plan.predicted.costPerHour;
  const [now, then] = [explanation.value, verdict.value].map((value) => valueText(objective, value));
  const change = `${valueNames[objective.kind]} ${then} instead of ${now}`;
  if (verdict.kind === 'worse') return `the best plan with it has ${change}`;
  if (verdict.kind === 'pinned') return `${change}, but the stage is pinned to another`;
  if (verdict.kind === 'refuted')
    return `${change} by the estimate, but no such plan was found that holds in simulation`;
  return verdict.costPerHour > cost
    ? `as good, but for ${verdict.costPerHour.toFixed(2)} per hour instead of ${cost.toFixed(2)}`
    : 'no better';
}
