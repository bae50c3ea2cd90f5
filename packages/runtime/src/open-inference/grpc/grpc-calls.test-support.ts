/** gRPC ports that are closed after each test, and calls by method name. */
import type { SourceTensor, TensorMap } from '@equipoise/core/model';
import { grpcMethods, grpcPath, writeGrpcRequest, writeMessage } from '@equipoise/open-inference-codec';
import { fp32 } from '../../data-plane/serving-bench.test-support.js';
import { type BenchOptions, grpcBench } from './grpc-bench.test-support.js';

const benches: { close(): Promise<void> }[] = [];

/** Closes everything started. */
export async function endBenches(): Promise<void> {
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
}

export async function start(options: BenchOptions = {}) {
  const bench = await grpcBench(options);
  benches.push(bench);
  const call = async (name: keyof typeof grpcMethods, fields: Readonly<Record<string, unknown>> = {}) =>
    bench.send(grpcPath(grpcMethods[name]), writeMessage(grpcMethods[name].input, fields as object)).ended;
  return { ...bench, call };
}

/** A replica that waits until released. */
export function held() {
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return { wait: () => gate, letGo: () => letGo() };
}

export const x: TensorMap = { x: fp32([2], 1, 2) };
export const requestOf = (inputs: TensorMap, more: object = {}, raw = true) =>
  writeGrpcRequest('bench', { inputs, ...more }, raw);
export const image: SourceTensor = { name: 'image', datatype: 'UINT8', shape: [-1], contentTypes: [] };
export const patient = { spec: { slo: { latencyMs: 60_000, percentile: 99 } } } as const;
