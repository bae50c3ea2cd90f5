/**
 * RIM as in the comparison of the IPA paper: replica counts are fixed; variants and batch sizes maximize accuracy. Pins
 * of a stage set that count. Default: three, within bounds, as published for the video pipeline.
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
