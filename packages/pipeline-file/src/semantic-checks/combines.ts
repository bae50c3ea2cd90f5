/**
 * A stage has variants or combines the answers of its members. The rules of `combine` depend on its method. An optional
 * stage leads to a join that can do without it.
 */
import { OMITTED, omittedNodes, type StageId } from '@equipoise/core/model';
import { isMalformed, type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';
import { nearestSpelling } from '../schema-problems/nearest-spelling.js';
import type { GraphDraft } from './graph-draft.js';

type CombineDraft = NonNullable<StageDraft['combine']>;
type EdgeDraft = NonNullable<NonNullable<SpecDraft['edges']>[number]>;

const OF_REPLICAS = ['module', 'isolation', 'python', 'runTimeoutMs', 'networkMs', 'variants'] as const;
const METHOD_OF = { weights: 'weighted', confidence: 'first-confident', atLeast: 'first-confident' } as const;

export function checkCombines(spec: SpecDraft, graph: GraphDraft): Finding[] {
  return [...wellFormedEntries(spec.stages)].flatMap(([index, stage]) => [...checkStage(spec, graph, index, stage)]);
}

function* checkStage(spec: SpecDraft, graph: GraphDraft, index: number, stage: StageDraft): Generator<Finding> {
  const path = ['spec', 'stages', index];
  if (!Object.hasOwn(stage, 'combine')) {
    const message = 'missing field "variants", expected at least one variant (or combine, to combine other stages)';
    if (!Object.hasOwn(stage, 'variants')) yield { path: [...path, 'variants'], message, missing: true };
    return;
  }
  for (const field of OF_REPLICAS)
    if (Object.hasOwn(stage, field))
      yield {
        path: [...path, field],
        message: `expected no ${field} on a stage with combine, which has neither code nor replicas`,
      };
  for (const field of Object.keys(stage.pins ?? {}))
    yield { path: [...path, 'pins', field], message: 'expected no pins on a stage with combine: a plan omits it' };
  if (stage.optional === true)
    yield { path: [...path, 'optional'], message: 'expected no optional on a stage with combine: its members may be' };
  const { combine } = stage;
  if (combine === undefined) return;
  const at = [...path, 'combine'];
  yield* checkFields(combine, at);
  if (graph.complete) yield* checkMembers(spec, graph, { index, combine, path: at });
}

/** Each method has its own fields. */
function* checkFields(combine: CombineDraft, path: ValuePath): Generator<Finding> {
  if (combine.method === undefined) return;
  for (const field of ['weights', 'confidence', 'atLeast'] as const) {
    const isNeeded = METHOD_OF[field] === combine.method;
    if (isNeeded === Object.hasOwn(combine, field)) continue;
    yield isNeeded
      ? {
          path: [...path, field],
          message: `missing field "${field}", expected it for ${combine.method}`,
          missing: true,
        }
      : {
          path: [...path, field],
          message: `expected no ${field} for ${combine.method}: it is for ${METHOD_OF[field]}`,
        };
  }
  const { output = combine.tensor, confidence } = combine;
  if (confidence !== undefined && confidence === output)
    yield { path: [...path, 'confidence'], message: `expected another tensor than the result, found "${confidence}"` };
}

export function checkOptional(spec: SpecDraft, { names, edges, entries, outputs, complete }: GraphDraft): Finding[] {
  if (!complete) return [];
  const id = (stage: number) => names[stage] as StageId;
  const entered = entries.map(id);
  const sources = [...wellFormedEntries(spec.sources)].map(([, { to = entered, onMissing }]) => ({
    to: [to].flat(),
    onMissing,
  }));
  const nodes = [...wellFormedEntries(spec.stages)].map(([index, { combine }]) => ({ id: id(index), ...combine }));
  const graph = {
    sources: sources.length > 0 ? sources : [{ to: entered }],
    stages: nodes,
    combines: nodes.filter(({ method }) => method !== undefined),
    edges: edges.map(({ from, to, position }) => ({ ...spec.edges?.[position], from: id(from), to: id(to) })),
    outputs: outputs.map(({ stage }) => ({ from: id(stage) })),
  } as unknown as Parameters<typeof omittedNodes>[0];
  return [...wellFormedEntries(spec.stages)].flatMap(([index, { optional, combine, variants }]): Finding[] => {
    if (optional !== true || combine !== undefined) return [];
    const path = ['spec', 'stages', index];
    const name = variants?.findIndex((variant) => variant?.name === OMITTED) ?? -1;
    const taken = `expected another name: in measured combinations, "${OMITTED}" stands for an optional stage that a plan omits`;
    const message = `expected joins that can do without "${names[index]}" behind it (a combine stage, an any or quorum join, or onMissing: partial), with another part whenever there is that of "${names[index]}": something needs its answer`;
    return [
      ...(name < 0 ? [] : [{ path: [...path, 'variants', name, 'name'], message: taken }]),
      ...(omittedNodes(graph, [id(index)]) === undefined ? [{ path: [...path, 'optional'], message }] : []),
    ];
  });
}

interface Place {
  readonly index: number;
  readonly combine: CombineDraft;
  readonly path: ValuePath;
}

function* checkMembers(spec: SpecDraft, graph: GraphDraft, { index, combine, path }: Place): Generator<Finding> {
  const name = graph.names[index];
  const incoming = graph.incoming[index] ?? [];
  const members = incoming.map(({ from }) => graph.names[from] as string);
  const isOfItems = incoming.length === 1 && incoming[0]?.kind === 'join';
  if (graph.entries.includes(index))
    yield { path, message: `expected edges from members into "${name}", found a source; let another stage start` };
  else if (incoming.length === 1 && !isOfItems) {
    const message = `expected at least two members of "${name}", or a join of items, found only "${members[0]}"`;
    yield { path, message, severity: 'warning' };
  }
  if (isOfItems && Object.hasOwn(combine, 'weights')) {
    const message = 'expected several edges into the stage: items of a join have no weights';
    yield { path: [...path, 'weights'], message };
  } else yield* checkWeights(combine, members, [...path, 'weights']);
  for (const [position, edge] of wellFormedEntries(spec.edges))
    if (edge.to === name) yield* checkInEdge(edge, combine, { path: ['spec', 'edges', position], isOfItems });
  yield* checkAnswer(spec, name, combine);
}

function* checkInEdge(
  edge: EdgeDraft,
  combine: CombineDraft,
  { path, isOfItems }: { readonly path: ValuePath; readonly isOfItems: boolean },
): Generator<Finding> {
  const message = `expected no fan-out into "${edge.to}", which combines; fan out to a stage`;
  if (Object.hasOwn(edge, 'fanOut')) yield { path: [...path, 'fanOut'], message };
  if (combine.method === 'concatenation' && !isOfItems) yield* checkConcatenated(edge, path);
  yield* checkPassed(edge, combine, path);
}

function* checkWeights({ weights }: CombineDraft, members: readonly string[], path: ValuePath): Generator<Finding> {
  if (weights === undefined) return;
  for (const name of Object.keys(weights)) {
    if (members.includes(name)) continue;
    const suggestion = nearestSpelling(name, new Set(members));
    const message = `unknown member "${name}", expected one of ${members.join(', ')}`;
    yield { path: [...path, name], message, place: 'key', ...(suggestion !== undefined && { suggestion }) };
  }
  const missing = members.filter((name) => !Object.hasOwn(weights, name));
  if (missing.length > 0)
    yield { path, message: `expected a weight of every member, found none of ${missing.join(', ')}` };
}

/** The result of a concatenation has the same shape for each request. */
function* checkConcatenated(edge: EdgeDraft, path: ValuePath): Generator<Finding> {
  const message = 'expected every member at a concatenation, found an edge whose part may be missing';
  if (edge.join !== undefined && edge.join !== 'all') yield { path: [...path, 'join'], message };
  if (edge.onMissing === 'partial') yield { path: [...path, 'onMissing'], message };
  if (Object.hasOwn(edge, 'when')) yield { path: [...path, 'when'], message };
}

/** `inputs` of an edge must pass on what the stage combines. */
function* checkPassed({ inputs }: EdgeDraft, combine: CombineDraft, path: ValuePath): Generator<Finding> {
  if (inputs === undefined || inputs.some((input) => input === undefined || isMalformed(input, 'name'))) return;
  for (const wanted of [combine.tensor, combine.confidence])
    if (wanted !== undefined && !inputs.some((input) => input?.name === wanted))
      yield {
        path: [...path, 'inputs'],
        message: `expected the tensor "${wanted}", which the stage combines, found none`,
      };
}

/** An output lists only tensors of the result. */
function* checkAnswer(spec: SpecDraft, name: string | undefined, combine: CombineDraft): Generator<Finding> {
  const { output = combine.tensor, confidence } = combine;
  if (output === undefined || isMalformed(combine, 'output')) return;
  const given = confidence === undefined ? [output] : [output, confidence];
  for (const [index, { from, tensors }] of wellFormedEntries(spec.outputs)) {
    if (from !== name) continue;
    for (const [position, tensor] of wellFormedEntries(tensors))
      if (!given.includes(tensor))
        yield {
          path: ['spec', 'outputs', index, 'tensors', position],
          message: `expected a tensor of the combined answer (${given.join(', ')}), found "${tensor}"`,
        };
  }
}
