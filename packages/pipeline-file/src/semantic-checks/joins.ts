/** `any` and `quorum`: on several edges into a stage they choose among these edges, so all of them must say the same. */
import { awaitedParts, type Join } from '@equipoise/core';
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';
import type { GraphDraft } from './graph-draft.js';

/** Finds early joins that contradict each other, want more parts than there are edges, or stand where a source enters. */
export function checkJoins(spec: SpecDraft, graph: GraphDraft): Finding[] {
  return graph.names.flatMap((name, stage) => [...joinsInto(spec, { name, isEntry: graph.entries.includes(stage) })]);
}

function* joinsInto(
  spec: SpecDraft,
  { name, isEntry }: { readonly name: string; readonly isEntry: boolean },
): Generator<Finding> {
  const inEdges = [...wellFormedEntries(spec.edges)].filter(([, { to }]) => to === name);
  const early = inEdges.filter(([, { join }]) => join !== undefined && join !== 'all');
  const [first] = early;
  if (first === undefined || inEdges.length < 2) return;
  const awaited = awaitedParts(first[1].join as Join);
  const odd = inEdges.find(([, { join }]) => awaitedParts(join as Join | undefined) !== awaited);
  if (odd !== undefined) {
    const expected = `expected the join ${describe(first[1].join as Join)} on every edge into "${name}"`;
    const [index, { join }] = odd;
    const found = join === undefined ? 'none' : describe(join as Join);
    yield { path: ['spec', 'edges', index, 'join'], message: `${expected} as on edge ${first[0]}, found ${found}` };
    return;
  }
  if (isEntry) {
    const message = `expected no source to enter "${name}", which waits for some of its edges only; enter at another stage`;
    yield { path: ['spec', 'edges', first[0], 'join'], message };
  }
  if (awaited > inEdges.length) {
    const message = `expected a quorum of at most ${inEdges.length}, the number of edges into "${name}", found ${awaited}`;
    yield { path: ['spec', 'edges', first[0], 'join', 'quorum'], message, suggestion: String(inEdges.length) };
  }
}

const describe = (join: Join): string => (typeof join === 'object' ? `{ quorum: ${join.quorum} }` : join);
