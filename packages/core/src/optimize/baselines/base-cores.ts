/**
 * Base cores per replica as in IPA (JSys 2024). By ascending accuracy, each variant gets the smallest sufficient core
 * count, but at least that of the previous variant. A count is sufficient if it serves `baseRps` at batch size 1 with a
 * p99 within the stage's share of the SLO. Stages of the longest path have equal shares.
 */
import { variantAccuracy } from '../../estimate/pas.js';
import type { PipelineSpec, StageSpec, VariantSpec } from '../../model/pipeline-spec.js';
import { capacityRps, type ServiceCurves } from '../../profile/service-curves.js';
import { lawQuantileMs } from '../../profile/service-law.js';
import { type PlanningProblem, specOf } from '../planning-problem.js';
import { planningCurves } from '../problem/planning-curves.js';
import { planningGraph } from '../problem/planning-graph.js';

/** Default of `baseRps`, published for the video pipeline. */
const VIDEO_BASE_RPS = 4;

interface StageTarget {
  readonly stage: StageSpec;
  readonly curves: ServiceCurves;
  readonly latencyMs: number;
  readonly baseRps: number;
}

/** Throughput (rps) and p99 (ms) at batch size 1, by ascending core count. */
function measuredCores({ stage, curves }: StageTarget, variant: VariantSpec) {
  return [...variant.cpuCores]
    .sort((a, b) => a - b)
    .flatMap((cpuCores) => {
      const curve = curves.curve(stage.id, variant.id, cpuCores);
      if (curve === undefined) return [];
      return [{ cpuCores, rps: capacityRps(curve, 1, 1), p99Ms: lawQuantileMs(curve.law(1), 0.99) }];
    });
}

function baseCores(target: StageTarget, variant: VariantSpec, least: number): number | undefined {
  const measured = measuredCores(target, variant);
  const enough = measured.find((m) => m.cpuCores >= least && m.rps >= target.baseRps && m.p99Ms <= target.latencyMs);
  const fastest = measured.reduce<(typeof measured)[number] | undefined>(
    (best, m) => (best === undefined || m.rps > best.rps ? m : best),
    undefined,
  );
  return (enough ?? fastest)?.cpuCores;
}

function withBaseCores(target: StageTarget): StageSpec {
  const { stage } = target;
  const byAccuracy = [...stage.variants].sort((a, b) => variantAccuracy(stage, a.id) - variantAccuracy(stage, b.id));
  const chosen = new Map<VariantSpec, readonly number[]>();
  let least = 0;
  for (const variant of byAccuracy) {
    const cores = baseCores(target, variant, least);
    least = Math.max(least, cores ?? 0);
    chosen.set(variant, cores === undefined ? [] : [cores]);
  }
  return { ...stage, variants: stage.variants.map((variant) => ({ ...variant, cpuCores: chosen.get(variant) ?? [] })) };
}

export function onBaseCores(problem: PlanningProblem): PipelineSpec {
  const spec = specOf(problem);
  const curves = planningCurves(spec, problem.profiles);
  const latencyMs = spec.slo.latencyMs / planningGraph(spec).depth;
  const { baseRps = VIDEO_BASE_RPS } = problem;
  return { ...spec, stages: spec.stages.map((stage) => withBaseCores({ stage, curves, latencyMs, baseRps })) };
}
