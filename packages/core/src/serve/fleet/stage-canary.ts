/** State of one canary: its step, the fraction in force and the next look. It takes no step by itself. */
import type { CanaryCounts } from '../../model/canary-counts.js';
import { type CanaryVerdict, canaryFractions, judgeCanary } from '../rollout/canary.js';

/** Time in ms between two looks at outcomes. */
const LOOK_MS = 250;

export class StageCanary {
  /** Fraction of the requests that it gets now. */
  fraction = 0;
  /** Outcomes needed beyond the shortest time of its step. */
  missingOutcomes = 0;
  /** Verdict against it. */
  failure: string | undefined;
  /** Next look; Infinity while replicas of the step start. */
  lookAtMs = Number.POSITIVE_INFINITY;
  #step = 0;
  #sinceMs = Number.POSITIVE_INFINITY;

  /** Fraction of the requests of this step. */
  get target(): number {
    return canaryFractions[this.#step] ?? 1;
  }

  /** Raises the fraction to the capacity of its ready replicas; true if it has changed. */
  raise(readyFraction: number): boolean {
    const fraction = Math.min(this.target, readyFraction);
    if (fraction === this.fraction) return false;
    this.fraction = fraction;
    return true;
  }

  measure(nowMs: number): void {
    if (this.#sinceMs < Number.POSITIVE_INFINITY) return;
    this.#sinceMs = nowMs;
    this.lookAtMs = nowMs + LOOK_MS;
  }

  /** Judges the step; a passed one starts the replicas of the next. */
  look(counts: CanaryCounts, at: { readonly percentile: number; readonly nowMs: number }): CanaryVerdict {
    const elapsedMs = at.nowMs - this.#sinceMs;
    const verdict = judgeCanary({ ...counts, fraction: this.target, elapsedMs, unit: 'batches' }, at);
    this.lookAtMs = at.nowMs + LOOK_MS;
    this.missingOutcomes = verdict.kind === 'open' ? verdict.missingOutcomes : 0;
    if (verdict.kind === 'passed') {
      this.#step += 1;
      this.#sinceMs = Number.POSITIVE_INFINITY;
      this.lookAtMs = Number.POSITIVE_INFINITY;
    }
    return verdict;
  }

  get hasPassed(): boolean {
    return this.#step >= canaryFractions.length;
  }
}
