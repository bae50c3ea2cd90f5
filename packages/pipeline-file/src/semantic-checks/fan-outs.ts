/**
 * Fan-outs nest: `fanOut` opens a level, `join` closes the innermost. All edges into a stage must have the same open
 * fan-outs; otherwise their items never meet.
 */
import { definedValues, isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding } from '../problem.js';
import { type GraphDraft, type GraphEdge, isFanOutAndJoin } from './graph-draft.js';
import type { Topology } from './topology.js';

/** Innermost open fan-out, linked to the outer ones. Equal nestings are the same object. */
interface OpenFanOut {
  readonly edge: GraphEdge;
  readonly around: OpenFanOut | undefined;
  readonly depth: number;
}

/** No edge may both open and close a fan-out. */
export function checkEdgeKinds(spec: SpecDraft): Finding[] {
  return [...wellFormedEntries(spec.edges)]
    .filter(([, edge]) => isFanOutAndJoin(edge))
    .map(([index]) => ({
      path: ['spec', 'edges', index, 'join'],
      message: 'expected either fanOut or join, found both: put a stage between the two',
    }));
}

/** Open fan-outs at a stage; `unclear` after a mismatch. */
type Nesting = OpenFanOut | 'unclear' | undefined;

/** Finds joins without a fan-out, and stages whose in-edges differ in nesting. */
export function checkFanOutDepth(graph: GraphDraft, { order, cycles }: Topology): Finding[] {
  if (!graph.complete || cycles.length > 0) return [];
  const findings: Finding[] = [];
  const standings = new Map<number, Nesting>(graph.entries.map((stage) => [stage, undefined]));
  for (const edge of order.flatMap((stage) => graph.incoming[stage] ?? [])) {
    const brought = nestingBehind(edge, standings.get(edge.from), findings);
    const other = standings.has(edge.to) ? standings.get(edge.to) : brought;
    const isClear = brought !== 'unclear' && other !== 'unclear';
    if (isClear && brought !== other) findings.push(mismatch(graph, edge, [other, brought]));
    standings.set(edge.to, brought === other ? brought : 'unclear');
  }
  return findings;
}

function nestingBehind(edge: GraphEdge, before: Nesting, findings: Finding[]): Nesting {
  if (edge.kind === 'plain' || before === 'unclear') return before;
  if (edge.kind === 'fan-out') return { edge, around: before, depth: (before?.depth ?? 0) + 1 };
  if (before !== undefined) return before.around;
  findings.push({
    path: ['spec', 'edges', edge.position, 'join'],
    message: 'expected a fan-out before the join, found fan-out depth 0',
  });
  return 'unclear';
}

function mismatch(
  graph: GraphDraft,
  edge: GraphEdge,
  [expected, found]: readonly [OpenFanOut | undefined, OpenFanOut | undefined],
): Finding {
  const stage = graph.names[edge.to];
  const expectedDepth = expected?.depth ?? 0;
  const foundDepth = found?.depth ?? 0;
  const message =
    expectedDepth === foundDepth
      ? `expected all edges into "${stage}" to come from one fan-out, found items of another one; join each first`
      : `expected fan-out depth ${expectedDepth} as on the other inputs of "${stage}", found ${foundDepth} (fanOut adds one, join takes one away)`;
  return { path: ['spec', 'edges', edge.position], message };
}

/** Warns if a fan-out expects more items than a stage may queue: such requests fail. */
export function checkFanOutItems(spec: SpecDraft): Finding[] {
  const { admission = {}, edges } = spec;
  if (isMalformed(spec, 'admission') || isMalformed(admission, 'maxQueueLength')) return [];
  const most = admission.maxQueueLength ?? fieldDefaults.maxQueueLength;
  return [...wellFormedEntries(edges)].flatMap(([index, { fanOut }]): Finding[] => {
    const { expected } = fanOut ?? {};
    const expectedItems = typeof expected === 'object' ? Math.max(0, ...definedValues(expected)) : (expected ?? 0);
    if (expectedItems <= most) return [];
    const message = `a fan-out of more items than may wait at a stage fails its request: expected at most ${most}, which is admission.maxQueueLength, found ${expectedItems}; raise the bound`;
    return [{ path: ['spec', 'edges', index, 'fanOut', 'expected'], message, severity: 'warning' }];
  });
}
