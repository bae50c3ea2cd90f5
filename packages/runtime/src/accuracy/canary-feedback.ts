/** Scores and comparisons of the new variant since a canary began. */
import type { CanaryCounts, StageId, VariantId } from '@equipoise/core/model';
import type { AccuracyWatch, ScoreSums } from './accuracy-watch.js';
import type { AgreementSums, AgreementWatch } from './agreement-watch.js';

export class CanaryFeedback {
  readonly #accuracy: AccuracyWatch | undefined;
  readonly #agreement: AgreementWatch | undefined;
  #scoresBefore: ScoreSums = new Map();
  #agreementBefore: AgreementSums = new Map();

  constructor(accuracy: AccuracyWatch | undefined, agreement: AgreementWatch | undefined) {
    this.#accuracy = accuracy;
    this.#agreement = agreement;
  }

  /** Call when a canary begins. */
  begin(): void {
    this.#scoresBefore = this.#accuracy?.sums ?? new Map();
    this.#agreementBefore = this.#agreement?.sums ?? new Map();
  }

  scores(stageId: StageId, isNew: (variantId: VariantId) => boolean): Pick<CanaryCounts, 'accuracy' | 'agreement'> {
    const accuracy = this.#accuracy?.scoresSince(this.#scoresBefore, stageId, isNew);
    const agreement = this.#agreement?.scoresSince(this.#agreementBefore, stageId, isNew);
    return { ...(accuracy && { accuracy }), ...(agreement && { agreement }) };
  }
}
