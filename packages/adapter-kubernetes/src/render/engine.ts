/**
 * Port of an engine: renders a plan, says what it cannot do, reads what runs. In the mode *ours* our router walks the
 * graph and the engine runs the stages; in the mode *theirs* (`NAME:theirs`) the engine does both.
 */
import type { PipelineSpec } from '@equipoise/core/model';
import type { KubeObject } from '../api/kube-object.js';
import { engineEstimate } from './engines/engine-estimate.js';
import { type EngineLimits, engineLimits } from './engines/engine-limits.js';
import { type EngineObjectState, engineObjectState } from './engines/engine-state.js';
import type { RenderTarget } from './engines/targets.js';
import { renderPlan } from './render-plan.js';
import type { RenderRequest } from './render-request.js';

export interface Engine {
  readonly target: RenderTarget;
  limits(spec: PipelineSpec): EngineLimits;
  /** The spec to plan with: the SLO without the time that the engine adds to each request. */
  planningSpec(spec: PipelineSpec): PipelineSpec;
  /** Time (ms) that the engine adds to each request. */
  overheadMs(spec: PipelineSpec): number;
  /** AppError INVALID_PIPELINE with the messages of `limits` if the engine cannot run the plan. */
  render(request: Omit<RenderRequest, 'target'>): readonly KubeObject[];
  /** State of an object of the engine; undefined for objects without pods or models. */
  stateOf(object: KubeObject): EngineObjectState | undefined;
}

export function engineFor(target: RenderTarget): Engine {
  return {
    target,
    limits: (spec) => engineLimits(spec, target),
    ...engineEstimate(target),
    render: (request) => renderPlan({ ...request, target }),
    stateOf: engineObjectState,
  };
}
