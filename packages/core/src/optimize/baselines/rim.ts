/**
 * RIM as the IPA paper compares it: fixed replica counts, with variants and batch sizes for the highest accuracy. Pins
 * of the stages set the counts. Default: three per stage within bounds, as published for the video pipeline.
 */
import type { StageSpec } from '../../model/pipeline-spec.js';
import { optimize } from '../optimize.js';
import type { Policy } from '../planning-problem.js';
import { literatureProblem } from './literature-problem.js';

const VIDEO_REPLICAS = 3;

const frozenReplicas = ({ bounds }: StageSpec) => ({
  replicas: Math.min(bounds.maxReplicas, Math.max(bounds.minReplicas, VIDEO_REPLICAS)),
});

export const rim: Policy = (problem, verify) =>
  optimize(literatureProblem(problem, { kind: 'max-accuracy' }, frozenReplicas), verify);
