/**
 * Digest of the parts of a spec that limit plans. A plan stored under another digest may name removed variants or
 * exceed a new budget, so it is not restored. Excluded: file locations, samples, code, `control` and `admission`.
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

export function specDigest(spec: PipelineSpec): string {
  const { name, slo, budget, prices, objective, edges, outputs, nodes, accuracyTable } = spec;
  const sources = spec.sources.map((source) => ({ name: source.name, to: source.to }));
  const stages = spec.stages.map(plannableStage);
  return sha256(
    canonicalJson({ name, slo, budget, prices, objective, sources, stages, edges, outputs, nodes, accuracyTable }),
  );
}
