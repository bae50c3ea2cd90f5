import { compileCondition } from '../condition/compile-condition.js';
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';
import type { GraphDraft, GraphEdge } from './graph-draft.js';
import type { Topology } from './topology.js';

const ROUNDING = 1e-9;

/** Conditions must be valid CEL. Probabilities of the edges from one stage sum to at most 1. */
export function checkBranches(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  const sums = new Map<string, number>();
  for (const [index, { from, when }] of wellFormedEntries(spec.edges)) {
    if (when === undefined) continue;
    const path = ['spec', 'edges', index, 'when'];
    const compiled = when.condition === undefined ? undefined : compileCondition(when.condition);
    if (compiled?.kind === 'invalid')
      findings.push({ path: [...path, 'condition'], message: compiled.message, inside: compiled.offset });
    if (from === undefined || when.probability === undefined) continue;
    const sum = (sums.get(from) ?? 0) + when.probability;
    sums.set(from, sum);
    if (sum > 1 + ROUNDING && sum - when.probability <= 1 + ROUNDING) {
      const message = `expected probabilities of at most 1 together on the \`when\` edges that leave "${from}" (the first that holds is taken), found ${Number(sum.toPrecision(6))} up to here`;
      findings.push({ path: [...path, 'probability'], message });
    }
  }
  return findings;
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
