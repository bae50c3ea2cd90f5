/**
 * Splits, joins and shares tensors; the walk through the graph (core/serve) decides when.
 *
 * A fan-out cuts every tensor of an output along its leading dimension, which has the same size in all of them and may
 * be 0. A join stacks the tensors of each name along a new leading dimension; a join of no items has no tensors.
 * Tensors of several in-edges merge by name. Equal names get the prefix `stage.` (`request.` for the request itself),
 * apart from names that an edge chooses (`inputs`). An impossible operation throws AppError STAGE_FAILED with the name of
 * the stage.
 *
 * Shared payloads get their own buffers; the parts of a fan-out are views of one. Several payloads may hold the same
 * tensor of the request, or the same constant, so the caller copies tensors before a runner may transfer or change them.
 */
import { createHash } from 'node:crypto';
import type { ServingEdge, ServingGraph } from '@equipoise/core/graph';
import {
  AppError,
  boundedMessage,
  boundedName,
  type NumericData,
  type PipelineSpec,
  stackTensors,
  type Tensor,
  type TensorData,
  type TensorMap,
  type TensorType,
  unstackTensor,
} from '@equipoise/core/model';
import type { PayloadAlgebra } from '@equipoise/core/serve';
import { decodeTensor } from '@equipoise/open-inference-codec';
import { type Condition, compileCondition } from '@equipoise/pipeline-file';
import { type CombineRule, combineTensors, type Member } from './combine-tensors.js';

export interface ProducedTensors {
  readonly producer: string;
  readonly tensors: TensorMap;
  /** True if an edge chose the names. */
  readonly keepsNames?: boolean;
}

type Door = Omit<ProducedTensors, 'tensors'>;

/** `source`: the tensors of the request that edges pass on. */
export interface RequestSource {
  readonly source: TensorMap;
}

const REQUEST = 'request';

/**
 * Tensor algebra for `graph`. Throws AppError INVALID_PIPELINE if a condition is not valid CEL, and TENSOR_MISMATCH if a
 * constant does not have its type. `takes` throws AppError CONDITION_FAILED if evaluation fails.
 */
export function tensorAlgebra(graph: ServingGraph): PayloadAlgebra<TensorMap, RequestSource> {
  const nameOf = (stage: number): string => graph.nodes[stage]?.id ?? String(stage);
  const doors = graph.nodes.map(({ index, inputs }) => doorsOf(graph, index, inputs));
  const conditions = graph.edges.map((edge) => compiled(edge, nameOf));
  const inputs = graph.edges.map((edge) => edgeInputs(edge, nameOf));
  const sourceNames = graph.sources.map(({ tensors }) => tensors.map(({ name }) => name));
  return {
    part: (source, tensors) => {
      const present = sourceNames[source]?.filter((name) => Object.hasOwn(tensors, name)) ?? [];
      return present.length === 0
        ? undefined
        : Object.fromEntries(present.map((name) => [name, tensors[name] as Tensor]));
    },
    takes: (edge, output, _context, _variant, threshold = edge.threshold) =>
      conditions[edge.index]?.holds(output, threshold) ?? true,
    steps: () => conditions.reduce((sum, condition) => sum + (condition?.work ?? 0), 0),
    items: (edge, output) => itemsOf(output, inputs[edge.index]?.counted),
    select: (edge, output, { source }) => {
      const { pick, whole } = inputs[edge.index] ?? ALL;
      return { ...pick(output), ...whole(source) };
    },
    fanOut: (edge, output, { source }) => {
      const { pick, whole } = inputs[edge.index] ?? ALL;
      const items = fanOutTensors(pick(output), nameOf(edge.from));
      const added = whole(source);
      return added === NOTHING ? items : items.map((item) => ({ ...item, ...added }));
    },
    join: (edge, parts, { source }) => {
      const { pick, whole } = inputs[edge.index] ?? ALL;
      const { combine, inputs: count } = graph.nodes[edge.to] ?? {};
      const picked = parts.map(pick);
      if (combine !== undefined && count === 1)
        return combined(
          combine,
          picked.map((tensors, item) => ({ name: `item ${item + 1}`, tensors })),
        );
      const joined = joinTensors(picked, nameOf(edge.from));
      const added = whole(source);
      return added === NOTHING ? joined : { ...joined, ...added };
    },
    merge: (stage, parts) => {
      const produced = parts.flatMap((tensors, slot) =>
        tensors === undefined ? [] : [{ ...(doors[stage]?.[slot] ?? { producer: REQUEST }), tensors }],
      );
      const combine = graph.nodes[stage]?.combine;
      if (combine === undefined) return mergeTensors(produced);
      return combined(
        combine,
        produced.map(({ producer, tensors }) => ({ name: producer, tensors })),
      );
    },
    share: copyTensors,
  };
}

/** Picks the tensors of a request that edges pass on. */
export function sourceTensors(graph: ServingGraph): (inputs: TensorMap) => TensorMap {
  const names = new Set(
    graph.edges.flatMap(({ inputs = [] }) => inputs.flatMap((input) => ('source' in input ? [input.source] : []))),
  );
  if (names.size === 0) return () => NOTHING;
  return (inputs) => Object.fromEntries(Object.entries(inputs).filter(([name]) => names.has(name)));
}

const NOTHING: TensorMap = Object.freeze({});

/** Compiled `inputs` of an edge. */
interface EdgeInputs {
  /** Output tensor whose leading dimension is the number of items; undefined for the first one. */
  readonly counted: string | undefined;
  /** Passes on outputs of the stage; a fan-out cuts them, and a join stacks them. */
  readonly pick: (output: TensorMap) => TensorMap;
  /** Tensors of the request and constants, which each item gets whole. */
  readonly whole: (source: TensorMap) => TensorMap;
}

/** An edge without `inputs`. */
const ALL: EdgeInputs = { counted: undefined, pick: (output) => output, whole: () => NOTHING };

function edgeInputs({ from, to, inputs }: ServingEdge, nameOf: (stage: number) => string): EdgeInputs | undefined {
  if (inputs === undefined) return undefined;
  const outputs = inputs.flatMap((input) => ('output' in input ? [[input.name, input.output] as const] : []));
  const sources = inputs.flatMap((input) => ('source' in input ? [[input.name, input.source] as const] : []));
  const constants = Object.fromEntries(
    inputs.flatMap((input) => {
      if (!('constant' in input)) return [];
      const { datatype, shape, data } = input.constant;
      return [[input.name, decodeTensor({ name: input.name, datatype, shape }, shape, data)] as const];
    }),
  );
  const hasWhole = outputs.length < inputs.length;
  const wants = `its edge to ${boundedName(nameOf(to))} passes on`;
  return {
    counted: outputs[0]?.[1],
    pick: (output) =>
      named(outputs, output, (missing, found) => stageFailed(nameOf(from), `${wants} ${missing}; it gave ${found}`)),
    whole: (source) => {
      if (!hasWhole) return NOTHING;
      const lacks = (missing: string) =>
        stageFailed(nameOf(from), `${wants} ${missing} of the request, but the request lacks it`);
      return { ...constants, ...named(sources, source, lacks) };
    },
  };
}

/** Tensors under new names, given as [name, tensor]. `lacks` makes the error of a missing tensor. */
function named(
  wanted: readonly (readonly [string, string])[],
  tensors: TensorMap,
  lacks: (missing: string, found: string) => AppError,
): TensorMap {
  return Object.fromEntries(
    wanted.map(([name, from]) => {
      const tensor = tensorOf(tensors, from);
      if (tensor !== undefined) return [name, tensor];
      throw lacks(boundedName(from), Object.keys(tensors).map(boundedName).join(', ') || 'none');
    }),
  );
}

/** Number of items of an output: the leading dimension of `counted`, or else of its first tensor; 0 without. */
function itemsOf(output: TensorMap, counted: string | undefined): number {
  if (counted !== undefined) return tensorOf(output, counted)?.shape[0] ?? 0;
  for (const name in output) return output[name]?.shape[0] ?? 0;
  return 0;
}

/** All tensors need the same leading dimension. */
export function fanOutTensors(output: TensorMap, stageName: string): readonly TensorMap[] {
  const entries = Object.entries(output);
  const [first] = entries;
  if (first === undefined) return [];
  const odd = entries.find(([, { shape }]) => shape.length === 0 || shape[0] !== first[1].shape[0]);
  if (odd !== undefined) {
    throw stageFailed(
      stageName,
      `its output fans out, so all its tensors need the same leading dimension, the number of items; found ${shapeOf(...first)} and ${shapeOf(...odd)}`,
    );
  }
  const parts = entries.map(([name, tensor]) => [name, unstackTensor(tensor)] as const);
  return Array.from({ length: first[1].shape[0] ?? 0 }, (_, index) =>
    Object.fromEntries(parts.map(([name, tensors]) => [name, tensors[index] as Tensor])),
  );
}

/** Payload of a join without items. An output that is this very object adds nothing to the response. */
const NO_ITEMS: TensorMap = Object.freeze({});

function combined(rule: CombineRule, members: readonly Member[]): TensorMap {
  return combineTensors(rule, members, (problem) => stageFailed(rule.id, problem));
}

/** Joins items, in order, into one payload. All items need equal tensor names, data types and shapes. */
export function joinTensors(parts: readonly TensorMap[], stageName: string): TensorMap {
  if (parts.every((part) => part === NO_ITEMS)) return NO_ITEMS;
  return stackItems(parts, (item, problem) =>
    stageFailed(stageName, `its items are joined, so each needs the same tensors; item ${item + 1} ${problem}`),
  );
}

/** Stacks the tensors of each name. `unlike` makes the error of an item that differs from the first one. */
export function stackItems(
  parts: readonly TensorMap[],
  unlike: (item: number, problem: string) => AppError,
): TensorMap {
  const [first = {}] = parts;
  const names = Object.keys(first);
  for (const [item, part] of parts.entries()) {
    // Absent names are found below, so only extra names are sought here.
    if (Object.keys(part).length <= names.length) continue;
    const more = Object.keys(part).find((name) => tensorOf(first, name) === undefined) as string;
    throw unlike(item, `has ${boundedName(more)}, but the first has not`);
  }
  return Object.fromEntries(
    names.map((name) => {
      const tensors = parts.map((part, item) => {
        const tensor = tensorOf(part, name);
        if (tensor === undefined) throw unlike(item, `has no ${boundedName(name)}`);
        return tensor;
      });
      return [name, stackNamed(tensors, name, unlike)];
    }),
  );
}

export function mergeTensors(parts: readonly ProducedTensors[]): TensorMap {
  const uses = new Map<string, number>();
  for (const { tensors } of parts) for (const name of Object.keys(tensors)) uses.set(name, (uses.get(name) ?? 0) + 1);
  const merged = new Map<string, Tensor>();
  for (const { producer, tensors, keepsNames = false } of parts) {
    for (const [name, tensor] of Object.entries(tensors)) {
      const unique = keepsNames || uses.get(name) === 1 ? name : `${producer}.${name}`;
      if (merged.has(unique))
        throw stageFailed(producer, `the name ${boundedName(unique)} would stand for two tensors; rename one`);
      merged.set(unique, tensor);
    }
  }
  return Object.fromEntries(merged);
}

/** Tensors that a pipeline output selects; all tensors if `wanted` is undefined. */
export function pickTensors({ producer, tensors }: ProducedTensors, wanted: readonly string[] | undefined): TensorMap {
  if (wanted === undefined) return tensors;
  const lacks = (missing: string, found: string) =>
    stageFailed(producer, `the outputs of the pipeline name its tensor ${missing}; it gave ${found}`);
  return named(
    wanted.map((name) => [name, name]),
    tensors,
    lacks,
  );
}

/** Throws STAGE_FAILED unless the tensors have their declared types. */
function checkTypes({ producer, tensors }: ProducedTensors, types: readonly TensorType[]): void {
  for (const { name, datatype, shape } of types) {
    const tensor = tensorOf(tensors, name);
    const hasShape =
      tensor?.shape.length === shape.length && shape.every((size, i) => size === -1 || size === tensor.shape[i]);
    if (tensor?.datatype === datatype && hasShape) continue;
    const found = tensor === undefined ? 'not there' : `${tensor.datatype} [${tensor.shape.join(', ')}]`;
    throw stageFailed(
      producer,
      `the outputs of the pipeline declare its tensor ${boundedName(name)} as ${datatype} [${shape.join(', ')}]; it is ${found}`,
    );
  }
}

/**
 * Tensors of a response: the tensors of all outputs, merged by name. `produced` is indexed by output slot. Skipped
 * stages and fan-outs without items add nothing. An output adds nothing if its `unless` stage ran.
 */
export function responseTensors(
  outputs: PipelineSpec['outputs'],
  produced: readonly (TensorMap | undefined)[],
): TensorMap {
  const hasRun = (stage: string) => outputs.some(({ from }, slot) => from === stage && produced[slot] !== undefined);
  const picked = outputs.flatMap(({ from, tensors: wanted, unless, types }, slot): readonly ProducedTensors[] => {
    const tensors = produced[slot];
    if (tensors === undefined || tensors === NO_ITEMS || (unless !== undefined && hasRun(unless))) return [];
    const answer = { producer: from, tensors: pickTensors({ producer: from, tensors }, wanted) };
    if (types !== undefined) checkTypes(answer, types);
    return [answer];
  });
  const [first] = picked;
  return first !== undefined && picked.length === 1 ? first.tensors : mergeTensors(picked);
}

/**
 * Declared tensors of responses, with the names that `mergeTensors` gives if all outputs answer. Outputs linked by
 * `unless` count as one.
 */
export function declaredTensors(outputs: PipelineSpec['outputs']): readonly TensorType[] {
  const lastOf = (from: string): string => {
    let last = from;
    for (let steps = 0; steps < outputs.length; steps++) last = outputs.find((o) => o.from === last)?.unless ?? last;
    return last;
  };
  return outputs.flatMap(({ from, types = [] }) =>
    types.map((type) => {
      const isShared = outputs.some(
        (other) => lastOf(other.from) !== lastOf(from) && other.types?.some(({ name }) => name === type.name),
      );
      return isShared ? { ...type, name: `${from}.${type.name}` } : type;
    }),
  );
}

/** Copies each tensor into a buffer of exactly its size. */
export function copyTensors(tensors: TensorMap): TensorMap {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, ownTensor(tensor)]));
}

/** 128 bits of SHA-256 over names, types, shapes and data, independent of name order. */
export function inputDigest(tensors: TensorMap): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(tensors).sort()) {
    const { datatype, shape, data } = tensors[name] as Tensor;
    hash.update(JSON.stringify([name, datatype, shape, data.length]));
    if (ArrayBuffer.isView(data)) hash.update(data);
    else for (const element of data) hash.update(`${Buffer.byteLength(element)}:`).update(element);
  }
  return hash.digest('hex').slice(0, 32);
}

/** AppError STAGE_FAILED of bounded length that names the stage. */
export function stageFailed(stage: string, problem: string): AppError {
  const name = boundedName(stage);
  return new AppError('STAGE_FAILED', boundedMessage(`Stage ${name}: ${problem}.`), { details: { stage: name } });
}

function compiled(
  { from, to, condition, threshold }: ServingEdge,
  nameOf: (stage: number) => string,
): Condition | undefined {
  if (condition === undefined) return undefined;
  const result = compileCondition(condition, threshold !== undefined);
  if (result.kind === 'valid') return result.condition;
  throw new AppError('INVALID_PIPELINE', `Edge ${nameOf(from)} -> ${nameOf(to)}: \`when\` ${result.message}.`);
}

/** Inputs of a stage, by slot. */
function doorsOf(graph: ServingGraph, stage: number, inputs: number): readonly Door[] {
  const doors = new Array<Door>(inputs).fill({ producer: REQUEST });
  for (const { id, outEdges } of graph.nodes) {
    for (const edge of outEdges)
      if (edge.to === stage) doors[edge.slot] = { producer: id, keepsNames: edge.inputs !== undefined };
  }
  return doors;
}

function ownTensor(tensor: Tensor): Tensor {
  return { datatype: tensor.datatype, shape: tensor.shape, data: copyOfData(tensor.data) };
}

/** The `slice` of a Buffer would share its memory. Evaluation modules may pass Buffers of files. */
const copyOfView = (view: NumericData): NumericData => (Buffer.isBuffer(view) ? new Uint8Array(view) : view.slice());

function copyOfData(data: TensorData): TensorData {
  if (!Array.isArray(data)) return copyOfView(data as NumericData);
  return (data as readonly (string | Uint8Array)[]).map((element) =>
    typeof element === 'string' ? element : copyOfView(element),
  ) as TensorData;
}

function stackNamed(
  tensors: readonly Tensor[],
  name: string,
  unlike: (item: number, problem: string) => AppError,
): Tensor {
  try {
    return stackTensors(tensors);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { index, found, expected } = error.details;
    throw unlike(Number(index), `has ${boundedName(name)} as ${found}, but the first as ${expected}`);
  }
}

function tensorOf(tensors: TensorMap, name: string): Tensor | undefined {
  return Object.hasOwn(tensors, name) ? tensors[name] : undefined;
}

function shapeOf(name: string, { shape }: Tensor): string {
  return `${boundedName(name)} [${shape.join(', ')}]`;
}
