/** Cheapest plans of the example's pipelines, with the CPU times of the README. */
import { fileURLToPath } from 'node:url';
import { type PipelineSpec, type Plan, type StagePlan, stageId } from '@equipoise/core/model';
import { optimize } from '@equipoise/core/plan';
import { loadPipelineFile } from '@equipoise/pipeline-file';

/** CPU time per item, in milliseconds. */
const ITEM_MS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  decode: { jpeg: 0.9 },
  detect: { m: 2.7, m2: 5.4, l1: 12.9, l: 25.7 },
  redetect: { l1: 12.9 },
  classify: { s: 0.13, m: 0.65, m2: 1.3, l1: 2.5, l2: 5, l: 10 },
  reclassify: { l1: 2.5 },
  count: { tally: 0.05 },
};

export async function loadExample(file: string): Promise<PipelineSpec> {
  const parsed = await loadPipelineFile(fileURLToPath(new URL(file, import.meta.url)));
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

function profiled(spec: PipelineSpec): PipelineSpec {
  const stages = spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => {
      const itemMs = ITEM_MS[stage.id]?.[variant.id] ?? 0;
      const profile = (stage.bounds.batchSizes ?? [1]).map((batchSize) => ({
        cpuCores: 1,
        batchSize,
        meanMs: itemMs * batchSize,
        p99Ms: 1.2 * itemMs * batchSize,
      }));
      return { ...variant, profile };
    }),
  }));
  return { ...spec, stages };
}

/** Measured F1 of a combination. */
export function measuredF1(spec: PipelineSpec, choice: Readonly<Record<string, string>>): number {
  const found = spec.accuracyTable?.combinations.find(({ variants }) =>
    Object.entries(choice).every(([stage, variant]) => variants[stageId(stage)] === variant),
  );
  if (found === undefined) throw new Error(`${JSON.stringify(choice)} was not measured`);
  return found.accuracy;
}

export function cheapestPlan(spec: PipelineSpec, accuracyFloor: number, arrivalRps = 8): Plan {
  const result = optimize({
    spec: profiled(spec),
    profiles: [],
    arrivalRps,
    estimator: 'sum-of-tails',
    objective: { kind: 'min-cost', accuracyFloor },
  });
  if (result.kind !== 'feasible') throw new Error(JSON.stringify(result));
  return result.plan;
}

export const chosen = ({ stages }: Plan, stage: string): StagePlan | undefined => stages[stageId(stage)]?.[0];
