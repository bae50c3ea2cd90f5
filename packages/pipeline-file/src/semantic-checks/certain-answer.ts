/**
 * A request whose outputs are all skipped gets an empty answer, which is rarely intended. An output is certain if some
 * path to it has no condition. Behind a join it is as certain as its fan-out, because a join without items proceeds,
 * too.
 */
import type { Finding } from '../problem.js';
import type { GraphDraft, GraphEdge } from './graph-draft.js';
import type { Topology } from './topology.js';

/** Certainty that a stage runs, and that the fan-outs around it are entered. */
interface Certainty {
  readonly runs: boolean;
  readonly entered: readonly boolean[];
}

/** Warns if no output is certain. */
export function checkCertainAnswer(graph: GraphDraft, { order, cycles }: Topology): Finding[] {
  if (!graph.complete || cycles.length > 0 || graph.outputs.length === 0) return [];
  const known = new Map<number, Certainty>(graph.entries.map((stage) => [stage, { runs: true, entered: [] }]));
  for (const stage of order) {
    const ways = (graph.incoming[stage] ?? []).map((edge) => behind(edge, known.get(edge.from)));
    const [first = { runs: true, entered: [] }] = ways;
    const runs = ways.some((way) => way.runs) || known.get(stage)?.runs === true || ways.length === 0;
    known.set(stage, { runs, entered: first.entered });
  }
  const [output] = graph.outputs;
  const isCertain = graph.outputs.some(({ stage }) => {
    const { runs = false, entered: [outermost] = [] } = known.get(stage) ?? {};
    return outermost ?? runs;
  });
  if (isCertain || output === undefined) return [];
  const message = `a request for which "${graph.names[output.stage]}" is skipped may be answered without tensors: list another output, as for a cascade`;
  return [{ path: ['spec', 'outputs'], message, severity: 'warning' }];
}

function behind(edge: GraphEdge, from: Certainty = { runs: false, entered: [] }): Certainty {
  const { entered } = from;
  const runs = from.runs && !edge.conditional;
  if (edge.kind === 'fan-out') return { runs, entered: [...entered, runs] };
  if (edge.kind === 'plain') return { runs, entered };
  return { runs: entered.at(-1) ?? runs, entered: entered.slice(0, -1) };
}
