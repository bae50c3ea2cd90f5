/**
 * The chance that an edge with `when` is taken when it is asked. A walk asks the `when` edges that leave a stage in the order of the file
 * until one is taken, so the k-th of them is asked with probability 1 − Σ_{j<k} p_j and taken then with p_k ÷ (1 − Σ_{j<k} p_j).
 */
import type { PipelineSpec } from '../model/pipeline-spec.js';

/** Chances (0…1) by edge index; 1 for edges without `when`. */
export function branchChances({ edges }: PipelineSpec): readonly number[] {
  return edges.map(({ from, when }, index) => {
    if (when === undefined) return 1;
    const earlier = edges.slice(0, index).filter((edge) => edge.from === from);
    const left = 1 - earlier.reduce((sum, edge) => sum + (edge.when?.probability ?? 0), 0);
    return left <= 0 ? 0 : Math.min(1, when.probability / left);
  });
}
