import type { EdgeTally } from '../model/decision.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import type { RequestPaths } from './request-paths.js';

/** Numbers of outputs are below this. A key is input · this + number. */
const MOST_OUTPUTS = 65_536;
/** Key of a join without items. */
const UNKNOWN = -1;
const GOLDEN_FRACTION = 0.618;

/**
 * Edge in the request of one input. `before`: outputs that an earlier `when` edge of the stage takes. The taken ones are
 * numbered from 0 on the branch.
 */
interface MeasuredEdge extends EdgeTally {
  readonly before: number;
  readonly stride: number;
}

/**
 * Paths of requests whose inputs were run alone before. Requests have these inputs in turn. The counts tell what the
 * request of an input did in all, by edge. Each request does as much, and its items that take a branch are spread. Nested
 * fan-outs have equal parts. Behind a join without items no branch is taken and nothing fans out.
 */
export class MeasuredPaths implements RequestPaths {
  readonly #inputs: readonly (readonly MeasuredEdge[])[];
  /** By stage: the `when` edge that alone leads there. */
  readonly #branchInto: readonly (number | undefined)[];

  /** `inputs`: counts of the request of each input, by edge; at least one input. The pipeline has one source. */
  constructor({ stages, edges }: Pick<PipelineSpec, 'stages' | 'edges'>, inputs: readonly (readonly EdgeTally[])[]) {
    this.#inputs = inputs.map((tallies) => edges.map((_, index) => measuredEdge(edges, tallies, index)));
    this.#branchInto = stages.map(({ id }) => {
      const into = edges.flatMap(({ to }, index) => (to === id ? [index] : []));
      const [index = -1] = into;
      return into.length === 1 && isPlainBranch(edges[index]) ? index : undefined;
    });
  }

  request(sequence: number): number {
    return (sequence % this.#inputs.length) * MOST_OUTPUTS;
  }

  output(stage: number, key: number): number {
    const branch = this.#branchInto[stage];
    const edge = branch === undefined ? undefined : this.#edge(branch, key);
    return edge === undefined || edge.taken === 0
      ? key
      : firstOf(key) + ((rankOf(edge, key) - edge.before) % MOST_OUTPUTS);
  }

  follow(): void {}

  part(_source: number, key: number): number {
    return key;
  }

  takes({ index }: { readonly index: number }, key: number): boolean {
    const edge = this.#edge(index, key);
    if (edge === undefined || edge.offered === 0) return false;
    const rank = rankOf(edge, key);
    return rank >= edge.before && rank < edge.before + edge.taken;
  }

  items({ index }: { readonly index: number }, key: number): number {
    const { from, to } = this.#itemsOf(index, key);
    return to - from;
  }

  fanOut({ index }: { readonly index: number }, key: number): readonly number[] {
    const { from, to } = this.#itemsOf(index, key);
    return Array.from({ length: to - from }, (_, i) => firstOf(key) + ((from + i) % MOST_OUTPUTS));
  }

  select(_edge: unknown, key: number): number {
    return key;
  }

  join(_edge: unknown, parts: readonly number[]): number {
    return parts[0] ?? UNKNOWN;
  }

  merge(_stage: number, parts: readonly (number | undefined)[]): number {
    return parts.find((part) => part !== undefined) ?? UNKNOWN;
  }

  share(key: number): number {
    return key;
  }

  /** Numbers of the items, the last exclusive. */
  #itemsOf(index: number, key: number): { readonly from: number; readonly to: number } {
    const edge = this.#edge(index, key);
    if (edge === undefined || edge.fanOuts === 0) return { from: 0, to: 0 };
    const taken = edge.taken === 0 ? key % MOST_OUTPUTS : rankOf(edge, key) - edge.before;
    const number = taken % edge.fanOuts;
    const upTo = (outputs: number) => Math.floor((outputs * edge.items) / edge.fanOuts);
    return { from: upTo(number), to: upTo(number + 1) };
  }

  #edge(index: number, key: number): MeasuredEdge | undefined {
    return key < 0 ? undefined : this.#inputs[Math.floor(key / MOST_OUTPUTS)]?.[index];
  }
}

/** Key of the first output of the same input. */
const firstOf = (key: number): number => key - (key % MOST_OUTPUTS);

/** Order of an output among those that branch here. */
const rankOf = ({ offered, stride }: MeasuredEdge, key: number): number => ((key % MOST_OUTPUTS) * stride) % offered;

const isPlainBranch = (edge: EdgeSpec | undefined): boolean => edge?.when !== undefined && edge.fanOut === undefined;

const NOTHING: EdgeTally = { offered: 0, taken: 0, fanOuts: 0, items: 0 };

function measuredEdge(edges: PipelineSpec['edges'], tallies: readonly EdgeTally[], index: number): MeasuredEdge {
  const tally = tallies[index] ?? NOTHING;
  const before = edges
    .slice(0, index)
    .reduce((sum, { from }, i) => (from === edges[index]?.from ? sum + (tallies[i]?.taken ?? 0) : sum), 0);
  return { ...tally, before, stride: strideOf(tally.offered) };
}

/** Step that visits each of `count` places once, and neighbours far apart. */
function strideOf(count: number): number {
  let stride = Math.max(1, Math.round(GOLDEN_FRACTION * count));
  while (greatestDivisor(stride, count) > 1) stride += 1;
  return stride;
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));
