/**
 * Wanted replicas of each variant, by the last decided plan (in mode `advise`, the advised plan). Variants that this
 * plan removes keep their replicas until the plan is in force, so that an autoscaler stops no serving replica. Advice
 * ends if planning confirms the running plan.
 */
import type { Decision, Plan } from '@equipoise/core/model';
import type { LoopEvent } from '../loop/loop-event.js';

export interface DesiredVariant {
  readonly stage: string;
  readonly variant: string;
  readonly replicas: number;
}

export class DesiredReplicas {
  readonly #listeners = new Set<() => void>();
  #inForce: Plan | undefined;
  #decided: Plan | undefined;
  #isAdvice = false;

  note(event: LoopEvent): void {
    if (event.kind === 'in-force') this.#follow(event.plan, event.plan);
    else if (event.kind === 'decided') {
      const { decision, mode } = event.record;
      if (decision.kind === 'apply') {
        this.#isAdvice = mode === 'advise';
        this.#follow(decision.plan, this.#inForce);
      } else if (this.#isAdvice && isVerdict(decision)) this.#follow(this.#inForce, this.#inForce);
    }
  }

  /** The running plan, regardless of later decisions. */
  get planInForce(): Plan | undefined {
    return this.#inForce;
  }

  /** Empty before the first plan. */
  all(): readonly DesiredVariant[] {
    const wanted = variantsOf(this.#decided);
    const serving = variantsOf(this.#inForce).filter(
      ({ stage, variant }) => !wanted.some((other) => other.stage === stage && other.variant === variant),
    );
    return [...wanted, ...serving];
  }

  /** Replicas of a stage or variant; undefined before the first plan. */
  of(stage: string, variant?: string): number | undefined {
    if (this.#decided === undefined) return undefined;
    return this.all()
      .filter((each) => each.stage === stage && (variant === undefined || each.variant === variant))
      .reduce((sum, { replicas }) => sum + replicas, 0);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #follow(decided: Plan | undefined, inForce: Plan | undefined): void {
    this.#decided = decided;
    this.#inForce = inForce;
    for (const listener of this.#listeners) listener();
  }
}

/** True if planning confirmed the running plan. Stale input, or no plan at all, confirms nothing. */
function isVerdict({ evidence: { result } }: Decision): boolean {
  return result?.kind === 'feasible' || result?.bestEffort !== undefined;
}

function variantsOf(plan: Plan | undefined): readonly DesiredVariant[] {
  return Object.entries(plan?.stages ?? {}).flatMap(([stage, parts]) =>
    parts.map(({ variantId, replicas }) => ({ stage, variant: variantId, replicas })),
  );
}
