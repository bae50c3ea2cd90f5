/** What a person asks for while serving, pins and whole plans: what they may say, and the pipeline with the pins. */
import type { PinsByStage } from '../model/decision-record.js';
import type { PipelineSpec, StagePins, StageSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import { keepsToBudget } from './guardrails.js';

/** The pipeline with `pins` beside and before those of its file. */
export function pinnedSpec(spec: PipelineSpec, pins: PinsByStage): PipelineSpec {
  if (Object.keys(pins).length === 0) return spec;
  const stages = spec.stages.map((stage) => ({ ...stage, pins: { ...stage.pins, ...pins[stage.id] } }));
  return { ...spec, stages };
}

/** Why a stage cannot be held to `pins`, in words with what is allowed; undefined where it can. */
export function pinObjection({ id, variants, bounds }: StageSpec, pins: StagePins): string | undefined {
  const { variantId, cpuCores, maxBatchSize, replicas } = pins;
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
  return undefined;
}

/** Why a plan cannot be put in force for a pipeline, in words; undefined where it can. An SLO that it misses is no reason. */
export function planObjection(spec: PipelineSpec, plan: Plan): string | undefined {
  const known = spec.stages.map(({ id }) => id);
  const unknown = Object.keys(plan.stages).find((name) => !known.some((id) => id === name));
  if (unknown !== undefined) return `there is no stage ${unknown}; there are ${known.join(', ')}`;
  for (const stage of spec.stages) {
    const [stagePlan, ...more] = plan.stages[stage.id] ?? [];
    if (stagePlan === undefined || more.length > 0) return `stage ${stage.id} needs one entry`;
    const { variantId, resources, maxBatchSize, replicas } = stagePlan;
    const objection = pinObjection(stage, { variantId, cpuCores: resources.cpuCores, maxBatchSize, replicas });
    if (objection !== undefined) return objection;
  }
  return keepsToBudget(spec, plan) ? undefined : 'it exceeds the budget of the pipeline';
}
