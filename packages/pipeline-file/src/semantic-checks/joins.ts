/** `any` and `quorum` choose among all edges into a stage, so these edges must agree. */
import { measurementCause, variantId, variantOfChoice } from '@equipoise/core/model';
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';
import type { GraphDraft } from './graph-draft.js';
import { hasMalformedQuorum, type JoinDraft, quorumList } from './quorums.js';
import type { CombinationDraft } from './references.js';
import { thresholdList } from './thresholds.js';

type InEdge = readonly [number, { readonly join?: JoinDraft; readonly onMissing?: unknown }];

/** Finds early joins that contradict each other, await more parts than edges, or are at an entry stage. */
export function checkJoins(spec: SpecDraft, graph: GraphDraft): Finding[] {
  return graph.names.flatMap((name, stage) => [...joinsInto(spec, { name, isEntry: graph.entries.includes(stage) })]);
}

function* joinsInto(
  spec: SpecDraft,
  { name, isEntry }: { readonly name: string; readonly isEntry: boolean },
): Generator<Finding> {
  const inEdges = [...wellFormedEntries(spec.edges)].filter(([, { to }]) => to === name);
  if (inEdges.length === 1 && !isEntry) yield* uselessPartial(inEdges[0] as InEdge);
  const early = inEdges.filter(([, { join }]) => join !== undefined && join !== 'all');
  const [first] = early;
  if (first === undefined || inEdges.length < 2) return;
  if (inEdges.some(([, edge]) => hasMalformedQuorum(edge))) return;
  const awaited = awaitedOf(first[1].join);
  const odd = inEdges.find(([, { join }]) => awaitedOf(join).join() !== awaited.join());
  if (odd !== undefined) {
    const expected = `expected the join ${describe(first[1].join)} on every edge into "${name}"`;
    const [index, { join }] = odd;
    const found = join === undefined ? 'none' : describe(join);
    yield { path: ['spec', 'edges', index, 'join'], message: `${expected} as on edge ${first[0]}, found ${found}` };
    return;
  }
  if (isEntry) {
    const message = `expected no source to enter "${name}", which waits for some of its edges only; enter at another stage`;
    yield { path: ['spec', 'edges', first[0], 'join'], message };
  }
  const largest = Math.max(...awaited);
  if (largest > inEdges.length) {
    const message = `expected a quorum of at most ${inEdges.length}, the number of edges into "${name}", found ${largest}`;
    yield { path: ['spec', 'edges', first[0], 'join', 'quorum'], message, suggestion: String(inEdges.length) };
  }
}

/** Finds `onMissing: partial` where no part can be missing. */
function* uselessPartial([index, { join, onMissing }]: InEdge): Generator<Finding> {
  if (onMissing !== 'partial' || join !== undefined) return;
  const message =
    'expected `onMissing: partial` on a `join: all` edge or on several edges into one stage, found it on a plain edge';
  yield { path: ['spec', 'edges', index, 'onMissing'], message };
}

/** Numbers of awaited parts; empty for all. */
const awaitedOf = (join: JoinDraft): readonly number[] => (join === 'any' ? [1] : quorumList(join));

function describe(join: JoinDraft): string {
  if (typeof join !== 'object') return String(join);
  const all = quorumList(join);
  return `{ quorum: ${all.length > 1 ? `[${all.join(', ')}]` : all.join()} }`;
}

const MEASURED = {
  edges: { place: 'behind a join that waits for some edges only', field: ['join'] },
  outputs: { place: 'of a cascade', field: ['unless'] },
  combines: { place: 'of a combined answer', field: ['combine', 'method'] },
  stages: { place: 'with optional stages', field: ['optional'] },
} as const;

const OF_THRESHOLDS = { place: 'at several thresholds', field: ['when', 'threshold'] } as const;

/**
 * Accuracy that is not a product (`measurementCause`) must be measured. Without a table: a warning if `evaluation` can
 * measure it, else an error. Pins must leave a measured combination.
 */
export function checkJointAccuracy(spec: SpecDraft): Finding[] {
  const cause = measurementCause({
    ...spec,
    combines: spec.stages?.map((stage) => stage?.combine),
    edges: spec.edges?.map((edge) => edge && { ...edge, when: { thresholds: thresholdList(edge.when?.threshold) } }),
  });
  if (cause === undefined) return [];
  if (Object.hasOwn(spec, 'accuracyTable')) return [...pinsBesideTable(spec)];
  const hasChoice = cause.of === 'edges' && spec.edges?.[cause.index]?.join === undefined;
  const { place, field } = hasChoice ? OF_THRESHOLDS : MEASURED[cause.of];
  const path = ['spec', cause.of === 'combines' ? 'stages' : cause.of, cause.index, ...field];
  const where = `the accuracy ${place} is not the product of those of the stages`;
  if (Object.hasOwn(spec, 'evaluation')) {
    const message = `${where}: measure it with \`equipoise evaluate\` before planning`;
    return [{ path, message, severity: 'warning' }];
  }
  const message = `${where}: expected an accuracyTable with measured combinations, or an evaluation to measure them with`;
  return [{ path, message }];
}

function* pinsBesideTable({ accuracyTable, stages }: SpecDraft): Generator<Finding> {
  if (accuracyTable === undefined || typeof accuracyTable === 'string') return;
  const pinned = [...wellFormedEntries(stages)].flatMap(([, { name, pins }]) =>
    name === undefined || pins?.variant === undefined ? [] : [[name, pins.variant] as const],
  );
  const allows = (variants: CombinationDraft = {}) =>
    pinned.every(([name, variant]) => {
      const chosen = variants[name];
      return chosen === undefined || variantOfChoice(variantId(chosen)) === variant;
    });
  const combinations = [...wellFormedEntries(accuracyTable.combinations)];
  if (combinations.length === 0 || combinations.some(([, { variants }]) => allows(variants))) return;
  const pins = pinned.map(([name, variant]) => `${name}: ${variant}`).join(', ');
  const message = `expected a combination with the pinned variants (${pins}), found none; measure one with \`equipoise evaluate\`, or remove a pin`;
  yield { path: ['spec', 'accuracyTable', 'combinations'], message };
}
