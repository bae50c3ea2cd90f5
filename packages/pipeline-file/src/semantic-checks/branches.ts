import { compileCondition } from '../condition/compile-condition.js';
import { type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';
import type { GraphDraft, GraphEdge } from './graph-draft.js';
import { choicesOfStage } from './thresholds.js';
import type { Topology } from './topology.js';

const ROUNDING = 1e-9;

/** Conditions must be valid CEL. For each variant, probabilities of the edges from one stage sum to at most 1. */
export function checkBranches(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  const sums = new Map<string, number>();
  const variantsOf = new Map(spec.stages?.map((stage) => [stage?.name, variantNames(stage)]));
  for (const [index, { from, when }] of wellFormedEntries(spec.edges)) {
    if (when === undefined) continue;
    const path = ['spec', 'edges', index, 'when'];
    const compiled =
      when.condition === undefined ? undefined : compileCondition(when.condition, Object.hasOwn(when, 'threshold'));
    if (compiled?.kind === 'invalid')
      findings.push({ path: [...path, 'condition'], message: compiled.message, inside: compiled.offset });
    const { probability } = when;
    if (from === undefined || probability === undefined) continue;
    const thresholds = Math.max(1, choicesOfStage(spec.edges, from).length);
    const of = { from, variants: variantsOf.get(from) ?? [''], thresholds, path: [...path, 'probability'] };
    findings.push(...aboveOne(probability, of, sums));
  }
  return findings;
}

interface DecidingStage {
  readonly from: string;
  readonly variants: readonly string[];
  /** Number of thresholds; 1 without a choice. */
  readonly thresholds: number;
  readonly path: ValuePath;
}

type GivenShare = number | readonly (number | undefined)[];
type Probability = GivenShare | Readonly<Record<string, GivenShare | undefined>>;

/** Adds the probabilities of an edge to the sums by variant and threshold. A plain number is reported once. */
function aboveOne(
  probability: Probability,
  { from, variants, thresholds, path }: DecidingStage,
  sums: Map<string, number>,
): readonly Finding[] {
  const isPlain = typeof probability === 'number' || Array.isArray(probability);
  const found = variants.flatMap((variant): readonly Finding[] => {
    const own = isPlain ? probability : (probability as Readonly<Record<string, GivenShare | undefined>>)[variant];
    const where = isPlain ? `"${from}"` : `variant "${variant}" of "${from}"`;
    const above = Array.from({ length: thresholds }, (_, position) => {
      const share = (typeof own === 'number' ? own : (own as readonly number[] | undefined)?.[position]) ?? 0;
      const key = JSON.stringify([from, variant, position]);
      const sum = (sums.get(key) ?? 0) + share;
      sums.set(key, sum);
      return sum <= 1 + ROUNDING || sum - share > 1 + ROUNDING ? undefined : sum;
    }).find((sum) => sum !== undefined);
    if (above === undefined) return [];
    const message = `expected probabilities of at most 1 together on the \`when\` edges that leave ${where} (the first that holds is taken), found ${Number(above.toPrecision(6))} up to here`;
    return [{ path: isPlain ? path : [...path, variant], message }];
  });
  return isPlain ? found.slice(0, 1) : found;
}

/** A stage whose variants are malformed or omitted counts as one variant without a name. */
function variantNames(stage: StageDraft | undefined): readonly string[] {
  const names = (stage?.variants ?? []).map((variant) => variant?.name).filter((name) => name !== undefined);
  return names.length === 0 ? [''] : names;
}

/** `runs`: every request runs the stage. `entered`: per open fan-out, every request enters it. */
interface Certainty {
  readonly runs: boolean;
  readonly entered: readonly boolean[];
}

/**
 * Warns if no output is certain: a request may get an empty answer. An output is certain if some path to it has no
 * condition. A join runs even without items, so it is certain if its fan-out is.
 */
export function checkCertainAnswer(graph: GraphDraft, topology: Topology): Finding[] {
  const known = certainties(graph, topology);
  const [output] = graph.outputs;
  const isCertain = graph.outputs.some(({ stage }) => {
    const { runs = false, entered: [outermost] = [] } = known.get(stage) ?? {};
    return outermost ?? runs;
  });
  if (known.size === 0 || isCertain || output === undefined) return [];
  const message = `a request for which "${graph.names[output.stage]}" is skipped may be answered without tensors: list another output, as for a cascade`;
  return [{ path: ['spec', 'outputs'], message, severity: 'warning' }];
}

/** Edges that every request takes, in file order; none if the graph is malformed. */
export function certainEdges(graph: GraphDraft, topology: Topology): readonly GraphEdge[] {
  const known = certainties(graph, topology);
  return graph.edges.filter((edge) => known.has(edge.from) && behind(edge, known.get(edge.from)).runs);
}

/** By stage; empty if the graph is malformed. */
function certainties(graph: GraphDraft, { order, cycles }: Topology): ReadonlyMap<number, Certainty> {
  if (!graph.complete || cycles.length > 0) return new Map();
  const known = new Map<number, Certainty>(graph.entries.map((stage) => [stage, { runs: true, entered: [] }]));
  for (const stage of order) {
    const ways = (graph.incoming[stage] ?? []).map((edge) => behind(edge, known.get(edge.from)));
    const [first = { runs: true, entered: [] }] = ways;
    const runs = ways.some((way) => way.runs) || known.get(stage)?.runs === true || ways.length === 0;
    known.set(stage, { runs, entered: first.entered });
  }
  return known;
}

function behind(edge: GraphEdge, from: Certainty = { runs: false, entered: [] }): Certainty {
  const { entered } = from;
  const runs = from.runs && !edge.conditional;
  if (edge.kind === 'fan-out') return { runs, entered: [...entered, runs] };
  if (edge.kind === 'plain') return { runs, entered };
  return { runs: entered.at(-1) ?? runs, entered: entered.slice(0, -1) };
}
