/**
 * The drop rule of each stage follows what serves, and what is known of its service times and of those behind it. A stage that does not serve yet keeps
 * the policy it has, so a pipeline in the middle of its start or of a change never drops by times that no replica has.
 */
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { StagePlan } from '../model/plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import type { BatchPolicy } from '../serve/batch-policy.js';
import { batchPolicies } from './batch-policies.js';

/** What each stage was last told to be, and the policies that follow from it. */
export class ServingPolicies {
  readonly #spec: PipelineSpec;
  #curves: ServiceCurves;
  readonly #setPolicy: (stageId: StageId, policy: BatchPolicy) => void;
  readonly #serving: Record<StageId, readonly StagePlan[]> = {};

  constructor(spec: PipelineSpec, curves: ServiceCurves, setPolicy: (stageId: StageId, policy: BatchPolicy) => void) {
    this.#spec = spec;
    this.#curves = curves;
    this.#setPolicy = setPolicy;
  }

  /** The stage serves as `to` says from now on: sets its policy and those of the stages before it, whose remaining time changes. */
  adopt(stageId: StageId, to: StagePlan): void {
    this.#serving[stageId] = [to];
    this.#setAll();
  }

  /** Service times are those of `curves` from now on: sets the policies of all stages that serve. */
  follow(curves: ServiceCurves): void {
    if (curves === this.#curves) return;
    this.#curves = curves;
    this.#setAll();
  }

  #setAll(): void {
    const policies = batchPolicies(this.#spec, { stages: this.#serving }, this.#curves);
    for (const [index, { id }] of this.#spec.stages.entries()) {
      const policy = policies[index];
      if (policy !== undefined && this.#serving[id] !== undefined) this.#setPolicy(id, policy);
    }
  }
}
