/**
 * State of one canary: step, fraction of the requests and next check. The fleet scheduler takes its steps.
 *
 * With little traffic the first step may offer the second step's fraction (docs/explain/control.md, A new variant).
 */
import type { CanaryCounts } from '../../model/canary-counts.js';
import { type CanaryVerdict, canaryFractions, DOUBT_ALPHA, judgeCanary, nextFraction } from '../rollout/canary.js';

const LOOK_MS = 250;

export class StageCanary {
  readonly #fractions: readonly number[];
  fraction = 0;
  /** Outcomes that the step still needs after its minimum time. */
  missingOutcomes = 0;
  failure: string | undefined;
  /** Next check; Infinity while replicas of the step start. */
  lookAtMs = Number.POSITIVE_INFINITY;
  #step = 0;
  #offersMore = false;
  #sinceMs = Number.POSITIVE_INFINITY;

  /** `oneStep`: the variant gets all requests after the first step. */
  constructor({ oneStep = false }: { readonly oneStep?: boolean | undefined } = {}) {
    this.#fractions = oneStep ? canaryFractions.slice(0, 1) : canaryFractions;
  }

  /** Fraction to offer now. */
  get target(): number {
    return this.#offersMore ? nextFraction(this.#stepFraction) : this.#stepFraction;
  }

  /** False while the step offers more than its fraction: if that offer ends, all old replicas are needed. */
  get mayDrain(): boolean {
    return !this.#offersMore;
  }

  get #stepFraction(): number {
    return this.#fractions[this.#step] ?? 1;
  }

  /** Sets the fraction to that of the ready replicas, at most `target`. True if it has changed. */
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

  /** Judges the step. After a pass, the next step begins. */
  look(counts: CanaryCounts, at: { readonly percentile: number; readonly nowMs: number }): CanaryVerdict {
    const elapsedMs = at.nowMs - this.#sinceMs;
    const verdict = judgeCanary({ ...counts, fraction: this.#stepFraction, elapsedMs, unit: 'batches' }, at);
    this.lookAtMs = at.nowMs + LOOK_MS;
    this.missingOutcomes = verdict.kind === 'open' ? verdict.missingOutcomes : 0;
    const mostEvidence = this.#offersMore ? 1 / DOUBT_ALPHA : 1;
    this.#offersMore = this.missingOutcomes > 0 && this.#step === 0 && isSpotless(counts, mostEvidence);
    if (verdict.kind === 'passed') {
      this.#step += 1;
      this.#sinceMs = Number.POSITIVE_INFINITY;
      this.lookAtMs = Number.POSITIVE_INFINITY;
    }
    return verdict;
  }

  get hasPassed(): boolean {
    return this.#step >= this.#fractions.length;
  }
}

/** True if the new side has outcomes, no miss, and less than this evidence of slowness. */
function isSpotless({ after, slowness }: CanaryCounts, mostEvidence: number): boolean {
  return after.ended > 0 && after.missed === 0 && (slowness?.slower ?? 0) < mostEvidence;
}
