/** The gRPC port of the pipelines: admits tenants within their limits and runs methods. */

import { grpcPath, listenMethod } from '@equipoise/open-inference-codec';
import { readTraceParent } from '../../trace/trace-context.js';
import { authenticate, MOST_QUESTION_BYTES, type ServingRules } from '../serving-rules.js';
import { admitWithinLimit, type Tenant } from '../tenants/tenants.js';
import { AnswersCall } from './answers-call.js';
import { type CallStream, UnaryCall } from './grpc-call.js';
import { type GrpcPlace, listenForCalls, type RunningGrpcServer } from './grpc-listener.js';
import { type GrpcRoute, servingMethods } from './grpc-methods.js';
import { GrpcError, grpcStatus } from './grpc-status.js';

export function startGrpcServer(rules: ServingRules, where: GrpcPlace): Promise<RunningGrpcServer> {
  const methods = servingMethods(rules.version);
  const listenPath = grpcPath(listenMethod);
  return listenForCalls(where, (stream) => {
    const isListener = stream.headers[':path'] === listenPath;
    void (isListener ? new AnswersCall(rules, stream) : new ServingCall(rules, methods, stream)).serve();
  });
}

class ServingCall extends UnaryCall<GrpcRoute, Tenant> {
  readonly #rules: ServingRules;
  readonly #methods: ReadonlyMap<string, GrpcRoute>;

  constructor(rules: ServingRules, methods: ReadonlyMap<string, GrpcRoute>, stream: CallStream) {
    super(rules, stream);
    this.#rules = rules;
    this.#methods = methods;
  }

  protected route(): GrpcRoute {
    const route = this.#methods.get(this.headers[':path'] ?? '');
    if (route === undefined) throw noSuchMethod();
    return route;
  }

  protected authenticate({ purpose }: GrpcRoute): Tenant | undefined {
    return authenticate(this.#rules, purpose, this.headers.authorization);
  }

  protected override admit({ purpose }: GrpcRoute, tenant: Tenant | undefined): void {
    if (purpose === 'inference' && tenant !== undefined) admitWithinLimit(tenant, performance.now());
  }

  protected override mostBytes({ purpose }: GrpcRoute): number {
    return purpose === 'inference' ? this.#rules.maxBodyBytes : MOST_QUESTION_BYTES;
  }

  protected answer({ method, purpose }: GrpcRoute, message: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const { pipelines, maxBodyBytes, largeRequests, phase, hold } = this.#rules;
    const { requestId, caller: tenant, signal, remainingMs, connection } = this;
    return method(message, {
      pipelines,
      maxBodyBytes,
      largeRequests,
      connection,
      requestId,
      tenant,
      phase: phase(),
      hold,
      signal,
      traceParent: purpose === 'inference' ? readTraceParent(this.headers) : undefined,
      remainingMs,
      onDecoded: () => this.releaseUnpacked(),
    });
  }
}

export function noSuchMethod(): GrpcError {
  return new GrpcError(grpcStatus.unimplemented, 'There is no such method.', 'NOT_FOUND');
}
