/**
 * What splitting, joining and sharing mean for tensors; the walk through the graph (core/serve) decides when.
 *
 * A fan-out cuts every tensor of an output along its leading dimension, which must be the same k in all of them (k may be 0).
 * A join stacks the tensors of each name along a new leading dimension; an empty group joins to no tensors at all, since nothing
 * tells their types. Several in-edges merge by name. Whoever runs a batch owns its tensors and may transfer their buffers, so parts of a
 * fan-out and shared payloads get buffers of their own.
 */
import {
  AppError,
  type PayloadAlgebra,
  type ServingEdge,
  type ServingGraph,
  stackTensors,
  type Tensor,
  type TensorData,
  type TensorMap,
  unstackTensor,
} from '@equipoise/core';

function copyOfData(data: TensorData): TensorData {
  if (!Array.isArray(data)) return (data as Exclude<TensorData, readonly unknown[]>).slice();
  return (data as readonly (string | Uint8Array)[]).map((element) =>
    typeof element === 'string' ? element : element.slice(),
  ) as TensorData;
}

const mapTensors = (tensors: TensorMap, change: (tensor: Tensor) => Tensor): TensorMap =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));

const ownTensor = (tensor: Tensor): Tensor => ({ ...tensor, data: copyOfData(tensor.data) });

/** The same tensors in buffers of their own, without what else a viewed buffer holds. */
export function copyTensors(tensors: TensorMap): TensorMap {
  return mapTensors(tensors, ownTensor);
}

const shapeOf = (name: string, tensor: Tensor): string => `${name} [${tensor.shape.join(', ')}]`;

/** The items that an output fans out into; AppError TENSOR_MISMATCH unless all tensors have one leading dimension. */
export function fanOutTensors(output: TensorMap, stageName: string): readonly TensorMap[] {
  const entries = Object.entries(output);
  const [first] = entries;
  if (first === undefined) return [];
  const odd = entries.find(([, { shape }]) => shape.length === 0 || shape[0] !== first[1].shape[0]);
  if (odd !== undefined) {
    throw new AppError(
      'TENSOR_MISMATCH',
      `Stage ${stageName} fans out, so all tensors it gives need the same leading dimension, the number of items: found ${shapeOf(...first)} and ${shapeOf(...odd)}.`,
      { details: { stage: stageName, expected: first[1].shape[0], found: odd[1].shape } },
    );
  }
  const parts = entries.map(([name, tensor]) => [name, unstackTensor(tensor).map(ownTensor)] as const);
  return Array.from({ length: first[1].shape[0] ?? 0 }, (_, index) =>
    Object.fromEntries(parts.map(([name, tensors]) => [name, tensors[index] as Tensor])),
  );
}

/** One payload from the items of a group, in order; AppError TENSOR_MISMATCH when an item lacks a tensor or types differ. */
export function joinTensors(parts: readonly TensorMap[], stageName: string): TensorMap {
  const names = Object.keys(parts[0] ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const tensors = parts.map((part, index) => part[name] ?? missing(name, index, stageName));
      return [name, stackTensors(tensors)];
    }),
  );
}

function missing(name: string, index: number, stageName: string): never {
  throw new AppError(
    'TENSOR_MISMATCH',
    `The items of stage ${stageName} are joined, so each needs the same tensors: item ${index + 1} has no ${name}.`,
    { details: { stage: stageName, tensor: name, index } },
  );
}

/** The inputs of a stage with several in-edges as one payload; AppError TENSOR_MISMATCH when two bring the same name. */
export function mergeTensors(parts: readonly TensorMap[], stageName: string): TensorMap {
  const merged: Record<string, Tensor> = {};
  for (const [name, tensor] of parts.flatMap((part) => Object.entries(part))) {
    if (Object.hasOwn(merged, name)) {
      throw new AppError(
        'TENSOR_MISMATCH',
        `Two inputs of stage ${stageName} bring a tensor named ${name}; rename it in one of the stages before it.`,
        { details: { stage: stageName, tensor: name } },
      );
    }
    merged[name] = tensor;
  }
  return merged;
}

/** The payload algebra of tensors for the walk through `graph`. */
export function tensorAlgebra(graph: ServingGraph): PayloadAlgebra<TensorMap> {
  const nameOf = (stage: number): string => graph.stages[stage]?.id ?? String(stage);
  return {
    fanOut: (edge: ServingEdge, output) => fanOutTensors(output, nameOf(edge.from)),
    join: (edge, parts) => joinTensors(parts, nameOf(edge.from)),
    merge: (stage, parts) => mergeTensors(parts, nameOf(stage)),
    share: copyTensors,
  };
}
