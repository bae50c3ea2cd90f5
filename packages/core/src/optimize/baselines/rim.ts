/**
 * RIM in IPA's comparison: the replicas of every stage are frozen (3, as there, within the bounds of the stage; a pin of the owner wins) and
 * only variants and batches are switched, for the highest accuracy that the rate allows.
 */
import type { StageSpec } from '../../model/pipeline-spec.js';
import { optimize } from '../optimize.js';
import type { Policy } from '../planning-problem.js';
import { literatureProblem } from './literature-problem.js';

const REPLICAS = 3;

const frozenReplicas = ({ bounds }: StageSpec) => ({
  replicas: Math.min(bounds.maxReplicas, Math.max(bounds.minReplicas, REPLICAS)),
});

/** Policy `rim`. */
export const rim: Policy = (problem, verify) =>
  optimize(literatureProblem(problem, { kind: 'max-accuracy' }, frozenReplicas), verify);
