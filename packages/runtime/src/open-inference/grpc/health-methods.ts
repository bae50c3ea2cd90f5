/** Whether the server runs and can answer, by the protocol's own methods and by the standard health service of gRPC. */
import { AppError } from '@equipoise/core/model';
import {
  grpcMethods,
  healthCheck,
  healthStatus,
  inferenceServiceName,
  readMessage,
  writeMessage,
} from '@equipoise/open-inference-codec';
import { type GrpcCall, type GrpcMethod, pipelineOfVersion } from './grpc-method.js';

/** The process runs and answers. */
export const serverLive: GrpcMethod = () => writeMessage(grpcMethods.serverLive.output, { live: true });

/** Whether all pipelines are ready. */
export const serverReady: GrpcMethod = (_, call) =>
  writeMessage(grpcMethods.serverReady.output, { ready: allReady(call) });

/** Whether one pipeline is ready. */
export const modelReady: GrpcMethod = (message, call) => {
  const { name, version } = readMessage(grpcMethods.modelReady.input, message);
  const { ready } = pipelineOfVersion(call, name, version);
  return writeMessage(grpcMethods.modelReady.output, { ready: call.phase === 'serving' && ready });
};

/** The same for probes: no service or that of the protocol stands for the server, the name of a pipeline for that pipeline. */
export const health: GrpcMethod = (message, call) => {
  const { service } = readMessage(healthCheck.input, message);
  const isReady = service === '' || service === inferenceServiceName ? allReady(call) : pipelineReady(service, call);
  const status = isReady ? healthStatus.serving : healthStatus.notServing;
  return writeMessage(healthCheck.output, { status });
};

function allReady({ pipelines, phase }: GrpcCall): boolean {
  return phase === 'serving' && [...pipelines.values()].every(({ ready }) => ready);
}

function pipelineReady(service: string, { pipelines, phase }: GrpcCall): boolean {
  const pipeline = pipelines.get(service);
  if (pipeline !== undefined) return phase === 'serving' && pipeline.ready;
  const services = [inferenceServiceName, ...pipelines.keys()];
  throw new AppError('NOT_FOUND', `No service of this name is checked; there are ${services.join(', ')}.`);
}
