import type { PinsByStage } from '../model/decision-record.js';
import type { StageId } from '../model/ids.js';
import { isOmissible, omittedStages } from '../model/omission.js';
import type { PipelineSpec, Prices, StagePins, StageSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { quorumsOf } from '../model/quorum.js';
import { thresholdChoices } from '../model/threshold.js';
import {
  isWithin,
  limitsOf,
  type ResourceUse,
  resourceKinds,
  totalUse,
  useOf,
} from '../optimize/problem/resource-use.js';
import type { ServiceCurves } from '../profile/service-curves.js';
import { fitsBudget } from './plan-facts.js';

/** The pipeline with `pins`, which take precedence over pins of its file. */
export function pinnedSpec(spec: PipelineSpec, pins: PinsByStage): PipelineSpec {
  if (Object.keys(pins).length === 0) return spec;
  const stages = spec.stages.map((stage) => ({ ...stage, pins: { ...stage.pins, ...pins[stage.id] } }));
  return { ...spec, stages };
}

/** Reason why a stage cannot have `pins`, with the allowed values; undefined if it can. */
export function pinObjection(
  graph: Pick<PipelineSpec, 'stages' | 'edges'>,
  { id, variants, bounds, pins: ofFile }: StageSpec,
  pins: StagePins,
): string | undefined {
  const { variantId, cpuCores, maxBatchSize, replicas, threshold, quorum } = { ...ofFile, ...pins };
  const open = variants.filter((variant) => variantId === undefined || variant.id === variantId);
  if (open.length === 0)
    return `${id} has no variant ${variantId}; it has ${variants.map((variant) => variant.id).join(', ')}`;
  const cores = [...new Set(open.flatMap((variant) => variant.cpuCores))].sort((a, b) => a - b);
  if (cpuCores !== undefined && !cores.includes(cpuCores))
    return `${variantId ?? id} does not run on ${cpuCores} cores; it runs on ${cores.join(', ')}`;
  const { batchSizes, minReplicas, maxReplicas } = bounds;
  if (maxBatchSize !== undefined && batchSizes !== undefined && !batchSizes.includes(maxBatchSize))
    return `${id} does not allow batches of ${maxBatchSize}; it allows ${batchSizes.join(', ')}`;
  if (replicas !== undefined && (replicas < minReplicas || replicas > maxReplicas))
    return `${id} does not allow ${replicas} replicas; it allows ${minReplicas} to ${maxReplicas}`;
  return (
    choiceObjection(id, 'threshold', { choices: thresholdChoices(graph, id), asked: threshold }) ??
    choiceObjection(id, 'quorum', { choices: quorumsOf(graph, id), asked: quorum })
  );
}

function choiceObjection(
  id: StageId,
  what: 'threshold' | 'quorum',
  { choices, asked }: { readonly choices: readonly number[]; readonly asked: number | undefined },
): string | undefined {
  if (asked === undefined || choices.includes(asked)) return undefined;
  return choices.length === 0
    ? `${id} has no choice of ${what}s`
    : `${id} has no ${what} ${asked}; it has ${choices.join(', ')}`;
}

/** Reason why no plan can keep all `pins`: the minimum that they need exceeds the budget. */
export function pinsObjection(spec: PipelineSpec, pins: PinsByStage): string | undefined {
  const limits = limitsOf(spec);
  const least = totalUse(pinnedSpec(spec, pins).stages.map((stage) => leastUse(stage, spec.prices)));
  const beyond = resourceKinds.findIndex(
    (_, kind) => !isWithin(least[kind] ?? 0, limits[kind] ?? Number.POSITIVE_INFINITY),
  );
  const kind = resourceKinds[beyond];
  return kind === undefined ? undefined : `at least ${least[beyond]} ${kind} for a budget of ${limits[beyond]}`;
}

function leastUse({ variants, pins, bounds, optional }: StageSpec, prices: Prices): ResourceUse {
  if (optional && pins.replicas === undefined) return [0, 0, 0, 0];
  const replicas = pins.replicas ?? bounds.minReplicas;
  const uses = variants
    .filter(({ id }) => id === (pins.variantId ?? id))
    .flatMap((variant) =>
      variant.cpuCores
        .filter((cores) => cores === (pins.cpuCores ?? cores))
        .map((cpuCores) => useOf({ ...variant, cpuCores }, replicas, prices)),
    );
  const least = (kind: number) => Math.min(...uses.map((use) => use[kind] ?? 0));
  return uses.length === 0 ? [0, 0, 0, 0] : [least(0), least(1), least(2), least(3)];
}

/** Stages of a manual plan, with memory and GPUs added from their variants. */
export function withVariantResources(spec: PipelineSpec, stages: Plan['stages']): Plan['stages'] {
  const complete = (id: string, part: StagePlan): StagePlan => {
    const variants = spec.stages.find((stage) => stage.id === id)?.variants;
    const variant = variants?.find((each) => each.id === part.variantId);
    if (variant === undefined) return part;
    const { memoryBytes, gpus } = variant;
    return { ...part, resources: { ...part.resources, memoryBytes, gpus } };
  };
  const entries = Object.entries(stages).map(([id, parts]) => [id, parts.map((part) => complete(id, part))]);
  return Object.fromEntries(entries) as Plan['stages'];
}

/** Reason why a stage has no profiled option with `pins`; undefined if it has one. */
export function unprofiledPins(
  { id, variants, pins: ofFile }: StageSpec,
  pins: StagePins,
  curves: Pick<ServiceCurves, 'curve'>,
): string | undefined {
  const { variantId, cpuCores, maxBatchSize = 1 } = { ...ofFile, ...pins };
  const open = variants.filter((variant) => variant.id === (variantId ?? variant.id));
  const known = open.flatMap((variant) =>
    variant.cpuCores
      .filter((cores) => cores === (cpuCores ?? cores))
      .flatMap((cores) => curves.curve(id, variant.id, cores)?.maxBatchSize ?? []),
  );
  const most = Math.max(0, ...known);
  if (maxBatchSize <= most) return undefined;
  const what = variantId === undefined ? id : `${id}/${variantId}`;
  if (most === 0) return `the profile of ${what} says nothing of ${cpuCores} cores`;
  return `the profile of ${what} says nothing of batches of ${maxBatchSize}, only of up to ${most}`;
}

/** Reason why a plan exceeds the profiles of its stages; undefined if it does not. */
export function profileObjection({ stages }: Plan, curves: Pick<ServiceCurves, 'curve'>): string | undefined {
  for (const [id, parts] of Object.entries(stages)) {
    for (const { variantId, resources, maxBatchSize, replicas } of parts) {
      if (replicas === 0) continue;
      const known = curves.curve(id as StageId, variantId, resources.cpuCores);
      const what = `the profile of ${id}/${variantId} says nothing of`;
      if (known === undefined) return `${what} ${resources.cpuCores} cores`;
      if (maxBatchSize > known.maxBatchSize)
        return `${what} batches of ${maxBatchSize}, only of up to ${known.maxBatchSize}`;
    }
  }
  return undefined;
}

/** Descriptions of pins that a plan does not keep. */
export function brokenPins(pins: PinsByStage, { stages }: Pick<Plan, 'stages'>): readonly string[] {
  return Object.entries(pins).flatMap(([id, { variantId, cpuCores, maxBatchSize, replicas, threshold, quorum }]) => {
    const [part] = stages[id as StageId] ?? [];
    if (part === undefined) return [];
    const has = { ...part, cpuCores: part.resources.cpuCores };
    const asked = Object.entries(
      part.replicas === 0 ? { replicas } : { variantId, cpuCores, maxBatchSize, replicas, threshold, quorum },
    );
    return asked.flatMap(([name, value]) =>
      value === undefined || value === has[name as keyof typeof has] ? [] : [`${id}: ${name} ${value}`],
    );
  });
}

function stagePlanObjection(spec: PipelineSpec, stage: StageSpec, plan: StagePlan): string | undefined {
  const { variantId, resources, maxBatchSize, maxBatchWaitMs, replicas, threshold, quorum } = plan;
  const objection = pinObjection(spec, stage, {
    ...{ variantId, cpuCores: resources.cpuCores, maxBatchSize, replicas },
    ...(threshold !== undefined && { threshold }),
    ...(quorum !== undefined && { quorum }),
  });
  if (objection !== undefined || maxBatchWaitMs <= stage.bounds.maxBatchWaitMs) return objection;
  return `${stage.id} does not allow batches to wait ${maxBatchWaitMs} ms; it allows up to ${stage.bounds.maxBatchWaitMs}`;
}

/** Reason why a plan cannot be applied; undefined if it can. A missed SLO is no reason. */
export function planObjection(spec: PipelineSpec, plan: Plan): string | undefined {
  const known = spec.stages.map(({ id }) => id);
  const unknown = Object.keys(plan.stages).find((name) => !known.some((id) => id === name));
  if (unknown !== undefined) return `there is no stage ${unknown}; there are ${known.join(', ')}`;
  for (const stage of spec.stages) {
    const [stagePlan, ...more] = plan.stages[stage.id] ?? [];
    if (stagePlan === undefined || more.length > 0) return `stage ${stage.id} needs one entry`;
    if (stagePlan.replicas === 0 && stage.pins.replicas === undefined) continue;
    const objection = stagePlanObjection(spec, stage, stagePlan);
    if (objection !== undefined) return objection;
  }
  if (!isOmissible(spec, plan.stages))
    return `it cannot omit ${omittedStages(plan.stages).join(', ')}: only optional stages may have no replicas, and each join needs a part`;
  return fitsBudget(spec, plan) ? undefined : 'it exceeds the budget of the pipeline';
}
