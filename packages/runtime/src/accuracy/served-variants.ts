/** Variants that answered a request, by stage. */
import type { PipelineSpec, StageId, VariantId } from '@equipoise/core/model';

export type VariantChoice = Readonly<Record<StageId, VariantId>>;

/** Variant by stage index. `isMixed`: several variants of a stage took part, as during a change. */
export interface RequestVariants {
  readonly byStage: (VariantId | undefined)[];
  isMixed: boolean;
}

export class ServedVariants {
  readonly #stages: readonly StageId[];
  /** Variant that ran last, by stage. It stands for stages that a request did not visit. */
  readonly #latest: (VariantId | undefined)[] = [];
  #known: VariantChoice = {};

  constructor({ stages }: Pick<PipelineSpec, 'stages'>) {
    this.#stages = stages.map(({ id }) => id);
  }

  begin(): RequestVariants {
    return { byStage: [], isMixed: false };
  }

  note(request: RequestVariants, stage: number, variant: VariantId): void {
    const known = request.byStage[stage];
    if (known !== undefined && known !== variant) request.isMixed = true;
    request.byStage[stage] = variant;
    this.#latest[stage] = variant;
  }

  /** Undefined if the answer is of no single choice, or a stage has not run yet. */
  choiceOf({ byStage, isMixed }: RequestVariants): VariantChoice | undefined {
    if (isMixed) return undefined;
    const variants = this.#stages.map((_, stage) => byStage[stage] ?? this.#latest[stage]);
    if (variants.includes(undefined)) return undefined;
    // Requests share the object, because most have the same choice.
    if (this.#stages.some((id, stage) => this.#known[id] !== variants[stage]))
      this.#known = Object.fromEntries(this.#stages.map((id, stage) => [id, variants[stage]])) as VariantChoice;
    return this.#known;
  }
}
