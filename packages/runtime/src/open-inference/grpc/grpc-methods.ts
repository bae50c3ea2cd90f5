/**
 * Methods of the gRPC port: functions from request bytes to answer bytes. They need no socket and refuse by throwing.
 */
import { AppError, type TensorMap } from '@equipoise/core/model';
import {
  grpcMethods,
  grpcPath,
  hasLargeParts,
  healthCheck,
  healthStatus,
  inferenceServiceName,
  readMessage,
  wantedOutput,
  writeGrpcConfig,
  writeGrpcMetadata,
  writeGrpcResponse,
  writeJsonMessage,
  writeMessage,
} from '@equipoise/open-inference-codec';
import type { CancelSignal } from '../../data-plane/cancellation.js';
import type { Purpose } from '../../net/call.js';
import type { ServingPhase } from '../../net/drain.js';
import type { TraceParent } from '../../trace/trace-context.js';
import { decoders } from '../decoding/decoders.js';
import type { LargeRequests } from '../decoding/large-requests.js';
import {
  metadataOf,
  pipelineByName,
  pipelineOfVersion,
  refuseVersion,
  type ServedPipeline,
  serverMetadataOf,
} from '../served-pipeline.js';
import { requireOpen } from '../serving-rules.js';
import type { StartupHold } from '../startup-hold.js';
import type { Tenant } from '../tenants/tenants.js';
import { modelConfigOf, modelStatisticsOf, repositoryIndexOf } from '../triton-extensions.js';

/** Maximum bytes, apart from raw contents, that this thread decodes. More would make other requests wait. */
const MOST_PARTS_HERE = 32 * 1024;

export interface GrpcRequest {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  readonly requestId: string;
  /** Undefined if the server knows no tenants. */
  readonly tenant: Tenant | undefined;
  /** Undefined without a deadline. */
  readonly remainingMs: number | undefined;
  /** Trace of the caller. */
  readonly traceParent: TraceParent | undefined;
  /** Aborts when the client goes away, cancels, or passes its deadline. */
  readonly signal: CancelSignal;
  readonly phase: ServingPhase;
  readonly hold: StartupHold;
  readonly maxBodyBytes: number;
  readonly largeRequests: LargeRequests;
  readonly connection: object;
  /** Called once this thread no longer needs the message. */
  readonly onDecoded: () => void;
}

export type GrpcMethod = (message: Uint8Array, request: GrpcRequest) => Uint8Array | Promise<Uint8Array>;

export interface GrpcRoute {
  readonly method: GrpcMethod;
  readonly purpose: Purpose;
}

/** Methods of `inference.GRPCInferenceService` and `grpc.health.v1.Health` by path. */
export function servingMethods(version: string): ReadonlyMap<string, GrpcRoute> {
  return new Map<string, GrpcRoute>([
    [grpcPath(grpcMethods.serverLive), { method: serverLive, purpose: 'probe' }],
    [grpcPath(grpcMethods.serverReady), { method: serverReady, purpose: 'probe' }],
    [grpcPath(grpcMethods.modelReady), { method: modelReady, purpose: 'metadata' }],
    [grpcPath(grpcMethods.serverMetadata), { method: serverMetadata(version), purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelMetadata), { method: modelMetadata, purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelConfig), { method: modelConfig, purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelStatistics), { method: modelStatistics, purpose: 'metadata' }],
    [grpcPath(grpcMethods.repositoryIndex), { method: repositoryIndex, purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelInfer), { method: modelInfer, purpose: 'inference' }],
    [grpcPath(healthCheck), { method: health, purpose: 'probe' }],
  ]);
}

const serverLive: GrpcMethod = () => writeMessage(grpcMethods.serverLive.output, { live: true });

const serverReady: GrpcMethod = (_, request) =>
  writeMessage(grpcMethods.serverReady.output, { ready: allReady(request) });

const modelReady: GrpcMethod = (message, request) => {
  const { name, version } = readMessage(grpcMethods.modelReady.input, message);
  const { ready } = pipelineOfVersion(request.pipelines, name, version);
  return writeMessage(grpcMethods.modelReady.output, { ready: request.phase === 'serving' && ready });
};

/** Standard health service. An empty name or that of the inference service means the server, others are pipelines. */
const health: GrpcMethod = (message, request) => {
  const { service } = readMessage(healthCheck.input, message);
  const isServer = service === '' || service === inferenceServiceName;
  const isReady = isServer ? allReady(request) : pipelineReady(service, request);
  const status = isReady ? healthStatus.serving : healthStatus.notServing;
  return writeMessage(healthCheck.output, { status });
};

function serverMetadata(version: string): GrpcMethod {
  const { extensions, ...named } = serverMetadataOf(version);
  return () => writeMessage(grpcMethods.serverMetadata.output, { ...named, extensions: [...extensions] });
}

/** Metadata of a pipeline, or of a stage by `PIPELINE.STAGE`. */
const modelMetadata: GrpcMethod = (message, request) => {
  const { name, version } = readMessage(grpcMethods.modelMetadata.input, message);
  const metadata = metadataOf(request.pipelines, name);
  refuseVersion(name, version);
  return writeGrpcMetadata(metadata);
};

const modelConfig: GrpcMethod = (message, { pipelines }) => {
  const { name, version } = readMessage(grpcMethods.modelConfig.input, message);
  const config = modelConfigOf(pipelines, name);
  refuseVersion(name, version);
  return writeGrpcConfig(config);
};

const modelStatistics: GrpcMethod = (message, { pipelines }) => {
  const { name, version } = readMessage(grpcMethods.modelStatistics.input, message);
  const statistics = modelStatisticsOf(pipelines, name);
  refuseVersion(name, version);
  return writeJsonMessage(grpcMethods.modelStatistics.output, statistics);
};

const repositoryIndex: GrpcMethod = (message, { pipelines, phase }) => {
  const { ready } = readMessage(grpcMethods.repositoryIndex.input, message);
  return writeJsonMessage(grpcMethods.repositoryIndex.output, { models: repositoryIndexOf(pipelines, phase, ready) });
};

/** Inference. The answer has raw or typed tensors, like the request. */
const modelInfer: GrpcMethod = (bytes, request) => {
  const decoded = decode(bytes, request);
  // A large message has moved to the decoding thread, where other limits count it.
  request.onDecoded();
  return inferred(decoded, request);
};

async function inferred(decoded: ReturnType<typeof decode>, request: GrpcRequest): Promise<Uint8Array> {
  const { modelName, inputs, items, outputs, id, parameters, raw } = await decoded;
  const pipeline = pipelineByName(request.pipelines, modelName);
  requireOpen(request, pipeline);
  const timeoutMs = timeoutOf(request, parameters.timeoutMs);
  const { signal, tenant, connection, hold, traceParent } = request;
  const requestId = id ?? request.requestId;
  const { priority } = parameters;
  const options = { requestId, id, signal, tenant, connection, hold, traceParent, items, timeoutMs, priority };
  const { output, missing } = await pipeline.run(inputs, options);
  const names = { modelName: pipeline.name, id: requestId, missing };
  return writeGrpcResponse(names, answeredOutputs(outputs, output), raw);
}

/** Decodes a request here or, if large, in another thread. */
function decode(bytes: Uint8Array, request: GrpcRequest) {
  const { pipelines, maxBodyBytes: maxBytes, largeRequests } = request;
  if (!hasLargeParts(bytes, MOST_PARTS_HERE)) return decoders.grpc({ bytes, maxBytes, pipelines });
  const declared = new Map([...pipelines].map(([name, { inputs }]) => [name, { inputs }]));
  // An uncompressed message follows its prefix, in memory that may belong to the transport.
  const own = bytes.byteOffset === 0 ? bytes : new Uint8Array(bytes);
  return largeRequests.decode(request, 'grpc', { bytes: own, maxBytes, pipelines: declared });
}

/** The shorter of the deadline and the request parameter. */
function timeoutOf({ remainingMs }: GrpcRequest, stated: number | undefined): number | undefined {
  if (remainingMs === undefined) return stated;
  if (remainingMs <= 0) throw new AppError('DEADLINE_PASSED', 'The deadline of the call passed before it was read.');
  return Math.min(remainingMs, stated ?? remainingMs);
}

function answeredOutputs(wanted: readonly string[] | undefined, output: TensorMap): TensorMap {
  if (wanted === undefined) return output;
  return Object.fromEntries(wanted.map((name) => [name, wantedOutput(output, name)]));
}

function allReady({ pipelines, phase }: GrpcRequest): boolean {
  return phase === 'serving' && [...pipelines.values()].every(({ ready }) => ready);
}

function pipelineReady(service: string, { pipelines, phase }: GrpcRequest): boolean {
  const pipeline = pipelines.get(service);
  if (pipeline !== undefined) return phase === 'serving' && pipeline.ready;
  const services = [inferenceServiceName, ...pipelines.keys()];
  throw new AppError('NOT_FOUND', `No service of this name is checked; there are ${services.join(', ')}.`);
}
