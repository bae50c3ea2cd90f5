import type { Rng } from '../kernel/rng.js';
import type { VariantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import { resolvedSpec, sharesByVariant } from '../model/resolved-spec.js';
import type { RequestPaths } from './request-paths.js';

/**
 * Conditional branch probabilities (0…1) by edge; 1 without `when`. The k-th `when` edge of a stage is tried with
 * probability 1 − Σ_{j<k} p_j and then taken with p_k ÷ (1 − Σ_{j<k} p_j).
 */
function branchChances({ edges }: PipelineSpec): readonly number[] {
  return edges.map(({ from, when }, index) => {
    if (when === undefined) return 1;
    const earlier = edges.slice(0, index).filter((edge) => edge.from === from);
    const left = 1 - earlier.reduce((sum, edge) => sum + (edge.when?.probability ?? 0), 0);
    return left <= 0 ? 0 : Math.min(1, when.probability / left);
  });
}

/**
 * Number of items at a uniform number in [0, 1): quantile of the distribution. Without distribution: floor or ceiling
 * of `expected`, with mean `expected`.
 */
export function fanOutItems({ expected, distribution }: NonNullable<EdgeSpec['fanOut']>): (chance: number) => number {
  if (distribution === undefined) {
    const floor = Math.floor(expected);
    return (chance) => (chance < expected - floor ? floor + 1 : floor);
  }
  let sum = 0;
  const upTo = distribution.map((fraction) => {
    sum += fraction;
    return sum;
  });
  // Fractions in the file may be rounded, so they count relative to their sum.
  return (chance) => upTo.findIndex((fraction) => chance * sum < fraction);
}

/**
 * Random paths of simulated items. The payload is a 32-bit key of seed, request number and path, mixed by the
 * MurmurHash3 finalizer (Appleby, 2008). So a request takes the same path under every plan, and tests can give the keys
 * to real replicas.
 */

const TWO_POW_32 = 4294967296;
/** Odd and far apart, so that the parts of a key do not cancel out. */
const BY_REQUEST = 0x9e3779b1;
const BY_STAGE = 0x85ebca77;
const BY_EDGE = 0xc2b2ae3d;
const BY_ITEM = 0x27d4eb2f;
const FOR_BRANCH = 0x165667b1;

interface EdgeChances {
  readonly branch: readonly number[];
  readonly itemsAt: readonly ((chance: number) => number)[];
}

function edgeChances(spec: PipelineSpec): EdgeChances {
  const itemsAt = spec.edges.map(({ fanOut = { expected: 1 } }) => fanOutItems(fanOut));
  return { branch: branchChances(spec), itemsAt };
}

/** Chances of the outputs of a variant. Stages may share names of variants: only out-edges of its stage are asked for. */
function chancesByVariant(spec: PipelineSpec): ReadonlyMap<VariantId | undefined, EdgeChances> {
  const variants = new Set(spec.edges.flatMap(sharesByVariant).flatMap((shares) => Object.keys(shares) as VariantId[]));
  return new Map([...variants].map((variant) => [variant, edgeChances(resolvedSpec(spec, () => variant))]));
}

export class ItemChances implements RequestPaths {
  readonly #seed: number;
  #byVariant: ReadonlyMap<VariantId | undefined, EdgeChances>;
  #otherwise: EdgeChances;
  readonly #shares: readonly number[];
  #parts: readonly boolean[] | undefined;
  /** Reused, because walks do not overlap. */
  readonly #items: number[] = [];

  constructor(spec: PipelineSpec, rng: Rng) {
    this.#seed = Math.floor(rng.fork('items').next() * TWO_POW_32);
    this.#byVariant = chancesByVariant(spec);
    this.#otherwise = edgeChances(spec);
    this.#shares = spec.sources.map(({ share = 1 }) => share);
  }

  follow(spec: PipelineSpec): void {
    this.#byVariant = chancesByVariant(spec);
    this.#otherwise = edgeChances(spec);
  }

  /** By default, the sources are drawn by their shares. */
  request(sequence: number, parts?: readonly boolean[]): number {
    this.#parts = parts;
    return mixKey(this.#seed + Math.imul(sequence, BY_REQUEST));
  }

  output(stage: number, key: number): number {
    return mixKey(key + Math.imul(stage + 1, BY_STAGE));
  }

  takes({ index }: { readonly index: number }, key: number, _context: undefined, variant?: VariantId): boolean {
    return uniformOf(key + Math.imul(index + 1, FOR_BRANCH)) < (this.#of(variant).branch[index] ?? 1);
  }

  items({ index }: { readonly index: number }, key: number, variant?: VariantId): number {
    return this.#itemsOf(index, fanOutKey(index, key), variant);
  }

  fanOut(
    { index }: { readonly index: number },
    key: number,
    _context: undefined,
    variant?: VariantId,
  ): readonly number[] {
    const edgeKey = fanOutKey(index, key);
    const items = this.#items;
    items.length = this.#itemsOf(index, edgeKey, variant);
    for (let i = 0; i < items.length; i++) items[i] = mixKey(edgeKey + Math.imul(i + 1, BY_ITEM));
    return items;
  }

  part(source: number, key: number): number | undefined {
    const own = mixKey(key + Math.imul(source + 1, BY_ITEM));
    const isThere = this.#parts?.[source] ?? uniformOf(own) < (this.#shares[source] ?? 1);
    return isThere ? own : undefined;
  }

  select(_edge: unknown, key: number): number {
    return key;
  }

  join(_edge: unknown, parts: readonly number[]): number {
    return sumOf(parts);
  }

  merge(_stage: unknown, parts: readonly (number | undefined)[]): number {
    return sumOf(parts);
  }

  share(key: number): number {
    return key;
  }

  #itemsOf(index: number, edgeKey: number, variant: VariantId | undefined): number {
    return this.#of(variant).itemsAt[index]?.(uniformOf(edgeKey)) ?? 1;
  }

  #of(variant: VariantId | undefined): EdgeChances {
    return this.#byVariant.get(variant) ?? this.#otherwise;
  }
}

function sumOf(keys: readonly (number | undefined)[]): number {
  let sum = 0;
  for (let i = 0; i < keys.length; i++) sum = (sum + (keys[i] ?? 0)) | 0;
  return sum;
}

function fanOutKey(index: number, key: number): number {
  return mixKey(key + Math.imul(index + 1, BY_EDGE));
}

function mixKey(key: number): number {
  let h = key | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

function uniformOf(key: number): number {
  return (mixKey(key) >>> 0) / TWO_POW_32;
}
