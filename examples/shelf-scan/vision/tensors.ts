/** Reading tensors by name with errors that name what is missing, and joining items to a batch. */
import { AppError, type LoadableVariant, type Tensor, type TensorMap } from '@equipoise/core';

/** The tensor of that name; throws `STAGE_FAILED` if the item has none. */
export function tensorOf(item: TensorMap, name: string): Tensor {
  const tensor = item[name];
  if (tensor === undefined) {
    throw new AppError('STAGE_FAILED', `Tensor '${name}' is missing; there are: ${Object.keys(item).join(', ')}.`);
  }
  return tensor;
}

/** The elements of an FP32 tensor; throws `STAGE_FAILED` if it is missing or of another type. */
export function float32(item: TensorMap, name: string): Float32Array {
  const tensor = tensorOf(item, name);
  if (!(tensor.data instanceof Float32Array)) {
    throw new AppError('STAGE_FAILED', `Tensor '${name}' is ${tensor.datatype}; FP32 expected.`);
  }
  return tensor.data;
}

/** Equally long items one after the other; a single item is not copied. */
export function stack(items: readonly Float32Array[]): Float32Array {
  const [first] = items;
  if (first === undefined) return new Float32Array(0);
  if (items.length === 1) return first;
  const stacked = new Float32Array(first.length * items.length);
  for (const [index, item] of items.entries()) stacked.set(item, index * first.length);
  return stacked;
}

/** Path of the variant's model file; throws `MODEL_LOAD_FAILED` if the variant names none. */
export function artifactOf(variant: LoadableVariant): string {
  if (variant.artifactPath === undefined) {
    throw new AppError('MODEL_LOAD_FAILED', `Variant '${variant.name}' names no artifact: give it an .onnx file.`);
  }
  return variant.artifactPath;
}
