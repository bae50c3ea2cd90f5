/** Inference over gRPC: tensors raw or in typed contents, answered in the form in which they came. */
import { AppError, type TensorMap } from '@equipoise/core/model';
import {
  grpcMethods,
  ownedMessage,
  readGrpcRequest,
  readMessage,
  wantedOutput,
  writeGrpcResponse,
} from '@equipoise/open-inference-codec';
import { readParameters } from '../request-parameters.js';
import { requireServing } from '../serving-phase.js';
import { type GrpcCall, type GrpcMethod, pipelineOfVersion } from './grpc-method.js';

/** ModelInfer. */
export const modelInfer: GrpcMethod = async (bytes, call) => {
  const owned = ownedMessage(bytes, { kind: 'request', maxBytes: call.maxBodyBytes });
  const message = readMessage(grpcMethods.modelInfer.input, owned);
  const pipeline = pipelineOfVersion(call, message.modelName, message.modelVersion);
  requireServing(call.phase);
  const request = readGrpcRequest(message, pipeline.inputs);
  const parameters = readParameters(request.parameters);
  const timeoutMs = timeoutOf(call, parameters.timeoutMs);
  const { output, missing } = await pipeline.run(request.inputs, { signal: call.signal, ...parameters, timeoutMs });
  const names = { modelName: pipeline.name, id: request.id ?? call.requestId, missing };
  return writeGrpcResponse(names, answeredOutputs(request.outputs, output), request.raw);
};

/** The deadline of the call and the parameter of the request both hold. */
function timeoutOf({ remainingMs }: GrpcCall, stated: number | undefined): number | undefined {
  if (remainingMs === undefined) return stated;
  if (remainingMs <= 0) throw new AppError('DEADLINE_PASSED', 'The deadline of the call passed before it was read.');
  return Math.min(remainingMs, stated ?? remainingMs);
}

function answeredOutputs(wanted: readonly string[] | undefined, output: TensorMap): TensorMap {
  if (wanted === undefined) return output;
  return Object.fromEntries(wanted.map((name) => [name, wantedOutput(output, name)]));
}
