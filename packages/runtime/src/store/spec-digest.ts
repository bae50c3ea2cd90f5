/**
 * A digest of everything that plans are made from: what a plan may contain and what it is judged by. A plan kept from before the pipeline
 * file was edited may name variants that are gone or exceed a new budget, so it is not put in force again under another digest. Left out
 * is what no plan depends on: places of files, samples, code, how often the loop runs, how long queues may get.
 */
import type { PipelineSpec, StageSpec } from '@equipoise/core/model';
import { canonicalJson, sha256 } from '../digest.js';

const plannableStage = ({ id, kind, variants, bounds, pins }: StageSpec) => ({
  id,
  kind,
  bounds,
  pins,
  variants: variants.map(({ artifact: _, parameters: __, version: ___, ...plannable }) => plannable),
});

/** Hex text; equal for two descriptions between which a plan may move. */
export function specDigest(spec: PipelineSpec): string {
  const { name, slo, budget, prices, objective, edges, outputs, nodes, accuracyTable } = spec;
  const sources = spec.sources.map((source) => ({ name: source.name, to: source.to }));
  const stages = spec.stages.map(plannableStage);
  return sha256(
    canonicalJson({ name, slo, budget, prices, objective, sources, stages, edges, outputs, nodes, accuracyTable }),
  );
}
