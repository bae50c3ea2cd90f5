/**
 * How many replicas of each variant are wanted: those of the plan that was decided last, which in mode `advise` is the advice. Until that
 * plan is in force, the variants that it leaves keep their replicas, so that whoever starts replicas by these numbers (an autoscaler)
 * takes away nothing that still serves. Advice ends when the loop finds that what runs may stay.
 */
import type { Decision, Plan } from '@equipoise/core/model';
import type { LoopEvent } from '../loop/loop-event.js';

/** Replicas that one variant of a stage should have. */
export interface DesiredVariant {
  readonly stage: string;
  readonly variant: string;
  readonly replicas: number;
}

/** Follows what the control loop tells. */
export class DesiredReplicas {
  readonly #listeners = new Set<() => void>();
  #inForce: Plan | undefined;
  #decided: Plan | undefined;
  #isAdvice = false;

  /** Takes note of what the loop tells. */
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

  /** The plan that serves, whatever was decided or advised since. */
  get planInForce(): Plan | undefined {
    return this.#inForce;
  }

  /** Every variant that should have replicas; empty before the first plan. */
  all(): readonly DesiredVariant[] {
    const wanted = variantsOf(this.#decided);
    const serving = variantsOf(this.#inForce).filter(
      ({ stage, variant }) => !wanted.some((other) => other.stage === stage && other.variant === variant),
    );
    return [...wanted, ...serving];
  }

  /** Replicas of a stage, or of one variant of it; undefined before the first plan. */
  of(stage: string, variant?: string): number | undefined {
    if (this.#decided === undefined) return undefined;
    return this.all()
      .filter((each) => each.stage === stage && (variant === undefined || each.variant === variant))
      .reduce((sum, { replicas }) => sum + replicas, 0);
  }

  /** Calls `listener` whenever numbers may have changed; the returned function ends that. */
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

/** Whether a plan was looked for and what runs came out of it; without one (stale input, nothing feasible) nothing is said of what runs. */
function isVerdict({ evidence: { result } }: Decision): boolean {
  return result?.kind === 'feasible' || result?.bestEffort !== undefined;
}

function variantsOf(plan: Plan | undefined): readonly DesiredVariant[] {
  return Object.entries(plan?.stages ?? {}).flatMap(([stage, parts]) =>
    parts.map(({ variantId, replicas }) => ({ stage, variant: variantId, replicas })),
  );
}
