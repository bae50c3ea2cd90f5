/** Tensors that edges pass on must exist, as far as the file tells, and have names that do not clash. */
import { awaitedParts, type Join } from '@equipoise/core/model';
import { isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
import { sourceTensorOf } from '../implied-graph.js';
import type { Finding, ValuePath } from '../problem.js';
import { nearestSpelling } from '../schema-problems/nearest-spelling.js';
import { certainEdges } from './branches.js';
import type { GraphDraft, GraphEdge } from './graph-draft.js';
import { tensorNames } from './sources-and-outputs.js';
import type { Topology } from './topology.js';

type EdgeDraft = NonNullable<NonNullable<SpecDraft['edges']>[number]>;
type InputDraft = NonNullable<NonNullable<EdgeDraft['inputs']>[number]>;

export function checkEdgeInputs(spec: SpecDraft, graph: GraphDraft, topology: Topology): Finding[] {
  const declared = declaredTensors(spec);
  const findings: Finding[] = [];
  for (const [index, edge] of wellFormedEntries(spec.edges)) {
    const path = ['spec', 'edges', index, 'inputs'];
    const names = new Set<string>();
    for (const [position, input] of wellFormedEntries(edge.inputs)) {
      findings.push(...checkOrigin(input, [...path, position], declared));
      const { name } = input;
      if (name === undefined) continue;
      if (names.has(name))
        findings.push({ path: [...path, position, 'name'], message: `expected each name once, found "${name}" again` });
      names.add(name);
    }
    if (Object.hasOwn(edge, 'fanOut') && edge.inputs !== undefined && !edge.inputs.some(mayBeOutput)) {
      const message =
        'expected an output tensor of the stage for the fan-out to cut, found none; add one to the inputs';
      findings.push({ path, message });
    }
  }
  return [...findings, ...clashingNames(spec, graph, topology)];
}

/** True also for a malformed input. */
const mayBeOutput = (input: InputDraft | undefined): boolean =>
  input === undefined || (!Object.hasOwn(input, 'constant') && originOf(input) === undefined);

const originOf = ({ name, from = name }: InputDraft): string | undefined =>
  from === undefined ? undefined : sourceTensorOf(from);

function* checkOrigin(
  input: InputDraft,
  path: ValuePath,
  declared: ReadonlySet<string> | undefined,
): Generator<Finding> {
  if (Object.hasOwn(input, 'from') && Object.hasOwn(input, 'constant')) {
    yield { path: [...path, 'from'], message: 'expected either from or constant, found both' };
    return;
  }
  if (Object.hasOwn(input, 'constant') || isMalformed(input, 'from')) return;
  const tensor = originOf(input);
  if (tensor === undefined || declared === undefined || declared.has(tensor)) return;
  const at = [...path, Object.hasOwn(input, 'from') ? 'from' : 'name'];
  if (declared.size === 0) {
    const message = `expected a source that declares its tensor "${tensor}", found a source without tensors; add datatype and shape to the source`;
    yield { path: at, message };
    return;
  }
  const suggestion = nearestSpelling(tensor, declared);
  const message = `unknown tensor "${tensor}" of the source, expected ${[...declared].slice(0, 12).join(', ')}`;
  yield { path: at, message, ...(suggestion === undefined ? {} : { suggestion: `source.${suggestion}` }) };
}

/** Declared tensors that every request has; undefined while a part is malformed. */
function declaredTensors(spec: SpecDraft): ReadonlySet<string> | undefined {
  if (isMalformed(spec, 'sources')) return undefined;
  const names = (spec.sources ?? []).flatMap((source): readonly (string | undefined)[] => {
    if (source === undefined || isMalformed(source, 'tensors')) return [undefined];
    return source.onMissing === 'partial' ? [] : tensorNames(source);
  });
  return names.includes(undefined) ? undefined : new Set(names as readonly string[]);
}

/**
 * Edges that give a stage the same name. Only members of a combine stage and alternatives may: edges behind conditions,
 * or a join of the first part.
 */
function clashingNames(spec: SpecDraft, graph: GraphDraft, topology: Topology): Finding[] {
  const certain = new Set(certainEdges(graph, topology));
  const givers = new Map<string, GraphEdge[]>();
  return graph.edges.flatMap((edge) => {
    const { inputs, join } = spec.edges?.[edge.position] ?? {};
    if (awaitedParts(join as Join | undefined) === 1 || spec.stages?.[edge.to]?.combine !== undefined) return [];
    return [...wellFormedEntries(inputs)].flatMap(([index, { name }]): Finding[] => {
      if (name === undefined) return [];
      const key = JSON.stringify([edge.to, name]);
      const earlier = givers.get(key) ?? [];
      givers.set(key, [...earlier, edge]);
      const clash = earlier.find((other) => other !== edge && (certain.has(other) || certain.has(edge)));
      if (clash === undefined) return [];
      const message = `expected names that no other edge into "${graph.names[edge.to]}" gives, found "${name}", which edge ${clash.position} gives; rename one`;
      return [{ path: ['spec', 'edges', edge.position, 'inputs', index, 'name'], message }];
    });
  });
}
