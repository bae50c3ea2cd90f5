/** The gRPC port: `inference.GRPCInferenceService` and `grpc.health.v1.Health`. Slow messages time out. */
import { grpcMethods, grpcPath, healthCheck } from '@equipoise/open-inference-codec';
import { answeredCall } from '../answered-call.js';
import type { ServingSetting } from '../serving-setting.js';
import { type GrpcPlace, listenForCalls, type RunningGrpcServer } from './grpc-listener.js';
import { grpcStatus, refusing } from './grpc-status.js';
import { health, modelReady, serverLive, serverReady } from './health-methods.js';
import { modelInfer } from './infer-method.js';
import { modelMetadata, serverMetadata } from './metadata-methods.js';
import { type GuardedMethod, refuseCall, serveCall } from './unary-call.js';

const noSuchMethod = refusing(grpcStatus.unimplemented, 'There is no such method.', 'NOT_FOUND');

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot be listened on. */
export function startGrpcServer(setting: ServingSetting, where: GrpcPlace): Promise<RunningGrpcServer> {
  const methods = methodsByPath(setting.version);
  return listenForCalls(where, (call) => {
    const guarded = methods.get(call.headers[':path'] ?? '');
    if (guarded === undefined) {
      refuseCall(call.stream, noSuchMethod);
      setting.onAnswer(answeredCall('grpc', noSuchMethod.countedAs, undefined));
    } else serveCall(setting, guarded, call);
  });
}

function methodsByPath(version: string): ReadonlyMap<string, GuardedMethod> {
  const { serverMetadata: describe } = grpcMethods;
  return new Map<string, GuardedMethod>([
    [grpcPath(grpcMethods.serverLive), { method: serverLive, purpose: 'probe' }],
    [grpcPath(grpcMethods.serverReady), { method: serverReady, purpose: 'probe' }],
    [grpcPath(grpcMethods.modelReady), { method: modelReady, purpose: 'metadata' }],
    [grpcPath(describe), { method: serverMetadata(version), purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelMetadata), { method: modelMetadata, purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelInfer), { method: modelInfer, purpose: 'inference' }],
    [grpcPath(healthCheck), { method: health, purpose: 'probe' }],
  ]);
}
