/**
 * RIM in IPA's comparison: three replicas per stage (within bounds; owner pins win), variants and batches for the
 * highest accuracy.
 */
import type { StageSpec } from '../../model/pipeline-spec.js';
import { optimize } from '../optimize.js';
import type { Policy } from '../planning-problem.js';
import { literatureProblem } from './literature-problem.js';

const REPLICAS = 3;

const frozenReplicas = ({ bounds }: StageSpec) => ({
  replicas: Math.min(bounds.maxReplicas, Math.max(bounds.minReplicas, REPLICAS)),
});

export const rim: Policy = (problem, verify) =>
  optimize(literatureProblem(problem, { kind: 'max-accuracy' }, frozenReplicas), verify);
