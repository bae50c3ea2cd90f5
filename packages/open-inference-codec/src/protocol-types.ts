/** Requests and answers as REST and gRPC both mean them, apart from how either writes them. */
import type { TensorMap } from '@equipoise/core/model';

/** Values that a parameter can have in JSON and in protobuf alike. */
export type ParameterValue = string | number | boolean;

/** Parameters of a request. */
export type InferParameters = Readonly<Record<string, ParameterValue>>;

/** What is asked of a model. `outputs`, if given, picks tensors of the answer; without it all come. */
export interface InferRequest {
  readonly id?: string;
  readonly parameters?: InferParameters;
  readonly inputs: TensorMap;
  readonly outputs?: readonly string[];
}

/** What a model answers. */
export interface InferResponse {
  readonly modelName: string;
  readonly id?: string;
  readonly outputs: TensorMap;
}

/** A tensor as metadata describe it; −1 is a dimension of any size. `datatype` may be one that Equipoise does not carry. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** What a server says of a model. */
export interface ModelMetadata {
  readonly name: string;
  readonly platform: string;
  readonly versions?: readonly string[];
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** What a server says of itself. */
export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}
