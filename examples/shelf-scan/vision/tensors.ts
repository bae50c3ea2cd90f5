/** Reads tensors by name, with clear errors, and joins items to a batch. */
import { AppError, type LoadableVariant, type Tensor, type TensorMap } from '@equipoise/core';

/** Tensor of that name; throws `STAGE_FAILED` if missing. */
export function tensorOf(item: TensorMap, name: string): Tensor {
  const tensor = item[name];
  if (tensor === undefined) {
    throw new AppError('STAGE_FAILED', `Tensor '${name}' is missing; there are: ${Object.keys(item).join(', ')}.`);
  }
  return tensor;
}

/** Elements of an FP32 tensor; throws `STAGE_FAILED` if missing or of another type. */
export function float32(item: TensorMap, name: string): Float32Array {
  const tensor = tensorOf(item, name);
  if (!(tensor.data instanceof Float32Array)) {
    throw new AppError('STAGE_FAILED', `Tensor '${name}' is ${tensor.datatype}; FP32 expected.`);
  }
  return tensor.data;
}

/** Concatenates items of equal length. Does not copy if there is only one. */
export function stack(items: readonly Float32Array[]): Float32Array {
  const [first] = items;
  if (first === undefined) return new Float32Array(0);
  if (items.length === 1) return first;
  const stacked = new Float32Array(first.length * items.length);
  for (const [index, item] of items.entries()) stacked.set(item, index * first.length);
  return stacked;
}

/** Path of the variant's model file; throws `MODEL_LOAD_FAILED` if there is none. */
export function artifactOf(variant: LoadableVariant): string {
  if (variant.artifactPath === undefined) {
    throw new AppError('MODEL_LOAD_FAILED', `Variant '${variant.name}' names no artifact: give it an .onnx file.`);
  }
  return variant.artifactPath;
}
