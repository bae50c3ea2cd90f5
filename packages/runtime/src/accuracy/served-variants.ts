/** Choices that answered a request, by stage: variants, at the thresholds and quorums under which it began. */
import {
  atQuorum,
  atThreshold,
  type PipelineSpec,
  type StageId,
  type StagePlan,
  type VariantId,
} from '@equipoise/core/model';

/** An omitted stage has the variant OMITTED. */
export type VariantChoice = Readonly<Record<StageId, VariantId>>;

type ByStage = readonly (VariantId | undefined)[];

/** By stage index. `isMixed`: several variants of a stage took part, as during a change. */
export interface RequestVariants {
  readonly visited: (VariantId | undefined)[];
  /** In service when the request began. */
  readonly inService: ByStage;
  readonly settings: readonly StageSettings[];
  isMixed: boolean;
}

/** Threshold and quorum of a stage for new requests. */
export type StageSettings = Pick<StagePlan, 'threshold' | 'quorum'>;

export class ServedVariants {
  readonly #stages: readonly StageId[];
  readonly #inService: (stage: number) => VariantId | undefined;
  readonly #settingsOf: (stage: number) => StageSettings;
  #known: VariantChoice = {};

  /** `inService`: the variant in service, or OMITTED; undefined if there are several. */
  constructor(
    { stages }: Pick<PipelineSpec, 'stages'>,
    inService: (stage: number) => VariantId | undefined,
    settingsOf: (stage: number) => StageSettings = () => ({}),
  ) {
    this.#stages = stages.map(({ id }) => id);
    this.#inService = inService;
    this.#settingsOf = settingsOf;
  }

  begin(): RequestVariants {
    const settings = this.#stages.map((_, stage) => this.#settingsOf(stage));
    return { visited: [], inService: this.#allInService(), settings, isMixed: false };
  }

  note(request: RequestVariants, stage: number, variant: VariantId): void {
    const known = request.visited[stage];
    if (known !== undefined && known !== variant) request.isMixed = true;
    request.visited[stage] = variant;
  }

  /**
   * Stages that the request did not visit have the variant in service. Undefined if the answer mixes choices, or if
   * such a stage changed meanwhile.
   */
  choiceOf({ visited, inService, settings, isMixed }: RequestVariants): VariantChoice | undefined {
    if (isMixed) return undefined;
    const variants = this.#allInService().map((variant, stage) => {
      const chosen = visited[stage] ?? (variant === inService[stage] ? variant : undefined);
      return chosen && atQuorum(atThreshold(chosen, settings[stage]?.threshold), settings[stage]?.quorum);
    });
    if (variants.includes(undefined)) return undefined;
    // Requests share the object, because most have the same choice.
    if (this.#stages.some((id, stage) => this.#known[id] !== variants[stage]))
      this.#known = Object.fromEntries(this.#stages.map((id, stage) => [id, variants[stage]])) as VariantChoice;
    return this.#known;
  }

  #allInService(): ByStage {
    return this.#stages.map((_, stage) => this.#inService(stage));
  }
}
