/** Measured accuracies and plans of one-view.yaml, whose variants `l1` look at one view instead of several. */
import { fileURLToPath } from 'node:url';
import { type PipelineSpec, type Plan, stageId } from '@equipoise/core/model';
import { optimize } from '@equipoise/core/plan';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { expect, it } from 'vitest';

/** CPU time per item (README.md), in milliseconds. */
const ITEM_MS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  decode: { jpeg: 0.9 },
  detect: { m: 2.7, l1: 12.9, l: 25.7 },
  classify: { s: 0.13, m: 0.65, l1: 2.5, l: 10 },
  reclassify: { l1: 2.5 },
  count: { tally: 0.05 },
};

async function loadSpec(): Promise<PipelineSpec> {
  const parsed = await loadPipelineFile(fileURLToPath(new URL('./one-view.yaml', import.meta.url)));
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

const spec = await loadSpec();

function measuredF1(detect: string, classify: string): number {
  const found = spec.accuracyTable?.combinations.find(
    ({ variants }) =>
      variants[stageId('detect')] === detect &&
      variants[stageId('classify')] === classify &&
      variants[stageId('reclassify')] === 'omitted',
  );
  if (found === undefined) throw new Error(`detect ${detect} and classify ${classify} were not measured`);
  return found.accuracy;
}

function profiled(): PipelineSpec {
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

it.each(['m', 'l1', 'l'])('one view classifies as accurately as four behind detect %s', (detect) => {
  expect(Math.abs(measuredF1(detect, 'l1') - measuredF1(detect, 'l'))).toBeLessThan(0.01);
});

function cheapestPlan(accuracyFloor: number): Plan {
  const result = optimize({
    spec: profiled(),
    profiles: [],
    arrivalRps: 8,
    estimator: 'sum-of-tails',
    objective: { kind: 'min-cost', accuracyFloor },
  });
  if (result.kind !== 'feasible') throw new Error(JSON.stringify(result));
  return result.plan;
}

const chosen = ({ stages }: Plan, stage: string) => stages[stageId(stage)]?.[0];

it('the cheapest plan with the F1 of four views does not look at four', () => {
  expect(chosen(cheapestPlan(measuredF1('l', 'l')), 'classify')?.variantId).not.toBe('l');
});

it('a plan may omit the second look', () => {
  expect(chosen(cheapestPlan(measuredF1('l1', 'm')), 'reclassify')?.replicas).toBe(0);
});
