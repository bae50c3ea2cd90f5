/**
 * Shares of edges by the variant of the stage that the edge leaves, at its threshold, and behind the variants of earlier
 * stages if these matter.
 */
import {
  type EdgeCount,
  OMITTED,
  type PipelineSpec,
  type StageId,
  thresholdChoices,
  thresholdOfChoice,
  type VariantId,
  variantOfChoice,
  withoutQuorum,
} from '@equipoise/core/model';
import type { VariantChoice } from './variant-combinations.js';

/** Fraction of the outputs of a variant that took an edge, or their mean number of items. */
export interface MeasuredShare {
  readonly from: StageId;
  readonly to: StageId;
  readonly variant: VariantId;
  /** Variants of earlier stages; absent for the mean over these. */
  readonly upstream?: Readonly<Record<StageId, VariantId>>;
  readonly outputs: number;
  readonly probability?: number;
  readonly expected?: number;
}

/** Fewer outputs say little about a share. */
const FEWEST_OUTPUTS = 20;
/** Shares behind earlier variants that are this near to their mean count as equal: relative, and absolute. */
const TOLERANCE_FRACTION = 0.03;
const TOLERANCE = 0.005;
/** More combinations of earlier variants would make too many cases for a plan. */
const MOST_UPSTREAM = 64;

type EdgeTally = Omit<EdgeCount, 'byVariant'>;
type Tally = { -readonly [Field in keyof EdgeTally]: EdgeTally[Field] };

const emptyTally = (): Tally => ({ offered: 0, taken: 0, fanOuts: 0, items: 0 });

/** Each sample counts once for a variant: as the mean over the combinations with it. */
export class ShareCounts {
  readonly #spec: PipelineSpec;
  /** By edge, then by variant and, in JSON, variants of earlier stages. */
  readonly #tallies: readonly Map<VariantId, { readonly all: Tally; readonly behind: Map<string, Tally> }>[];
  readonly #earlier: readonly (readonly StageId[])[];

  constructor(spec: PipelineSpec) {
    this.#spec = spec;
    this.#tallies = spec.edges.map(() => new Map());
    this.#earlier = spec.edges.map(({ from }) => earlierStages(spec, from));
  }

  /** Adds the counts of one sample, by combination. Shares do not depend on quorums. */
  add(combinations: readonly VariantChoice[], counts: readonly (readonly EdgeCount[])[]): void {
    const choices = combinations.map(withoutQuorums);
    this.#spec.edges.forEach(({ from }, edge) => {
      const all = new Map<VariantId | undefined, number>();
      const behind = new Map<string, number>();
      for (const choice of choices) {
        count(all, choice[from]);
        count(behind, `${choice[from]} ${this.#upstream(edge, choice)}`);
      }
      choices.forEach((choice, c) => {
        const [tally, variant] = [counts[c]?.[edge], choice[from]];
        if (tally === undefined || variant === undefined || !this.#counts(from, variant)) return;
        const upstream = this.#upstream(edge, choice);
        const known = this.#tallies[edge]?.get(variant) ?? { all: emptyTally(), behind: new Map() };
        this.#tallies[edge]?.set(variant, known);
        addTo(known.all, tally, 1 / (all.get(variant) ?? 1));
        if (upstream === undefined) return;
        const own = known.behind.get(upstream) ?? emptyTally();
        known.behind.set(upstream, own);
        addTo(own, tally, 1 / (behind.get(`${variant} ${upstream}`) ?? 1));
      });
    });
  }

  /** Variants of earlier stages in JSON; undefined if there is no choice, or one is omitted. */
  #upstream(edge: number, choice: VariantChoice): string | undefined {
    const stages = this.#earlier[edge] ?? [];
    if (stages.length === 0 || stages.some((id) => choice[id] === undefined || choice[id] === OMITTED))
      return undefined;
    return JSON.stringify(Object.fromEntries(stages.map((id) => [id, variantOfChoice(choice[id] as VariantId)])));
  }

  /** False at no threshold of a stage that has several: the stages behind its edges are omitted. */
  #counts(from: StageId, choice: VariantId): boolean {
    return thresholdOfChoice(choice) !== undefined || thresholdChoices(this.#spec, from).length === 0;
  }

  all(): readonly MeasuredShare[] {
    const measured = this.#spec.edges.map(({ from, to }, edge) => {
      const own = [...(this.#tallies[edge] ?? [])];
      const means = own.flatMap(([variant, { all }]) => shareOf({ from, to, variant }, all));
      const behind = own.flatMap(([variant, tally]) =>
        [...tally.behind].flatMap(([key, of]) => {
          const upstream = JSON.parse(key) as Readonly<Record<StageId, VariantId>>;
          return shareOf({ from, to, variant, upstream }, of).filter(({ outputs }) => outputs >= FEWEST_OUTPUTS);
        }),
      );
      return { from, means, behind };
    });
    // Shares of one stage come from the same outputs, so that they sum to at most 1.
    const deciding = new Set(measured.flatMap(({ from, means, behind }) => (matters(means, behind) ? [from] : [])));
    return measured.flatMap(({ from, means, behind }) => [...means, ...(deciding.has(from) ? behind : [])]);
  }
}

const withoutQuorums = (choice: VariantChoice): VariantChoice =>
  Object.fromEntries(Object.entries(choice).map(([id, chosen]) => [id, withoutQuorum(chosen)]));

/** Stages with several variants before a stage. Optional ones are left out: a plan without them has the mean. */
function earlierStages({ stages, edges }: PipelineSpec, of: StageId): readonly StageId[] {
  const found = new Set<StageId>([of]);
  for (const id of found) for (const { from, to } of edges) if (to === id) found.add(from);
  const earlier = stages.filter(
    ({ id, variants, optional }) => id !== of && found.has(id) && variants.length > 1 && !optional,
  );
  return earlier.reduce((product, { variants }) => product * variants.length, 1) <= MOST_UPSTREAM
    ? earlier.map(({ id }) => id)
    : [];
}

/** True if the share behind some earlier variants differs from the mean over all. */
function matters(means: readonly MeasuredShare[], behind: readonly MeasuredShare[]): boolean {
  return behind.some(({ variant, probability, expected }) => {
    const mean = means.find((each) => each.variant === variant);
    return differs(probability, mean?.probability) || differs(expected, mean?.expected);
  });
}

const differs = (value: number | undefined, mean: number | undefined): boolean =>
  value !== undefined && mean !== undefined && Math.abs(value - mean) > Math.max(TOLERANCE, TOLERANCE_FRACTION * mean);

function shareOf(
  of: Pick<MeasuredShare, 'from' | 'to' | 'variant' | 'upstream'>,
  { offered, taken, fanOuts, items }: Tally,
): readonly MeasuredShare[] {
  const outputs = Math.round(Math.max(offered, fanOuts));
  if (outputs === 0) return [];
  const probability = offered > 0 && { probability: Math.min(1, taken / offered) };
  return [{ ...of, outputs, ...probability, ...(fanOuts > 0 && { expected: items / fanOuts }) }];
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function addTo(tally: Tally, { offered, taken, fanOuts, items }: EdgeTally, weight: number): void {
  tally.offered += weight * offered;
  tally.taken += weight * taken;
  tally.fanOuts += weight * fanOuts;
  tally.items += weight * items;
}
