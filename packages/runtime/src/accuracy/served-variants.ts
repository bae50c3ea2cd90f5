/** Choices that answered a request, by stage: variants, at the thresholds and quorums under which it began. */
import {
  atQuorum,
  atThreshold,
  OMITTED,
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
    const inService = this.#stages.map((_, stage) => this.#inService(stage));
    return { visited: [], inService, settings, isMixed: false };
  }

  note(request: RequestVariants, stage: number, variant: VariantId): void {
    const known = request.visited[stage];
    if (known !== undefined && known !== variant) request.isMixed = true;
    request.visited[stage] = variant;
  }

  /**
   * Stages that the request did not visit have the variant in service, or were omitted when it began. Undefined if the
   * answer mixes choices, or if the variant of such a stage changed meanwhile.
   */
  choiceOf({ visited, inService, settings, isMixed }: RequestVariants): VariantChoice | undefined {
    if (isMixed) return undefined;
    const variants = inService.map((atStart, stage) => {
      const isSame = atStart === OMITTED || atStart === this.#inService(stage);
      const chosen = visited[stage] ?? (isSame ? atStart : undefined);
      return chosen && atQuorum(atThreshold(chosen, settings[stage]?.threshold), settings[stage]?.quorum);
    });
    if (variants.includes(undefined)) return undefined;
    // Requests share the object, because most have the same choice.
    if (this.#stages.some((id, stage) => this.#known[id] !== variants[stage]))
      this.#known = Object.fromEntries(this.#stages.map((id, stage) => [id, variants[stage]])) as VariantChoice;
    return this.#known;
  }
}
