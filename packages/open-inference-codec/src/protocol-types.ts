/** Requests and answers, independent of REST or gRPC. */
import type { TensorMap } from '@equipoise/core/model';

export type ParameterValue = string | number | boolean;

export type InferParameters = Readonly<Record<string, ParameterValue>>;

/** Request. `outputs` selects tensors of the answer; by default all. */
export interface InferRequest {
  readonly id?: string;
  readonly parameters?: InferParameters;
  readonly inputs: TensorMap;
  readonly outputs?: readonly string[];
}

export interface InferResponse {
  readonly modelName: string;
  readonly id?: string;
  readonly outputs: TensorMap;
}

/** Metadata of a tensor. −1 in the shape allows any size. Equipoise may not support `datatype`. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly platform: string;
  readonly versions?: readonly string[];
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}
