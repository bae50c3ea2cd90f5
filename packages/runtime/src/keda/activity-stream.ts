/**
 * StreamIsActive: reports at the start and on every change whether any replicas are wanted. So a stage with zero
 * replicas starts without waiting for KEDA's next poll.
 */
import { readMessage, writeMessage } from '@equipoise/open-inference-codec';
import type { CallRules, Purpose } from '../net/call.js';
import { type CallStream, GrpcCall } from '../open-inference/grpc/grpc-call.js';
import { framed } from '../open-inference/grpc/grpc-message.js';
import { grpcStatus } from '../open-inference/grpc/grpc-status.js';
import { ExternalScaler, type ScaledObjectRef } from './external-scaler.gen.js';
import { type ScaledPipeline, wantedOf } from './scaled-part.js';

const { streamIsActive } = ExternalScaler.method;

const stopping = { 'grpc-status': String(grpcStatus.unavailable), 'grpc-message': 'The server is shutting down.' };

export class ActivityStreams {
  readonly #pipeline: ScaledPipeline;
  readonly #rules: CallRules;
  readonly #open = new Set<ActivityCall>();

  constructor(pipeline: ScaledPipeline, rules: CallRules) {
    this.#pipeline = pipeline;
    this.#rules = rules;
  }

  serve(stream: CallStream): void {
    const call = new ActivityCall(this.#pipeline, this.#rules, stream);
    this.#open.add(call);
    stream.stream.once('close', () => this.#open.delete(call));
    void call.serve();
  }

  end(): void {
    for (const call of this.#open) call.stop();
  }
}

interface ActivityRoute {
  readonly purpose: Purpose;
}

class ActivityCall extends GrpcCall<ActivityRoute, ScaledObjectRef> {
  readonly #pipeline: ScaledPipeline;
  #isStreaming = false;

  constructor(pipeline: ScaledPipeline, rules: CallRules, stream: CallStream) {
    super(rules, stream);
    this.#pipeline = pipeline;
  }

  stop(): void {
    if (this.#isStreaming) this.stream.end();
  }

  protected route(): ActivityRoute {
    return { purpose: 'probe' };
  }

  protected authenticate(): undefined {}

  protected answer(_route: ActivityRoute, message: Uint8Array): ScaledObjectRef {
    const ref = readMessage(streamIsActive.input, message);
    wantedOf(this.#pipeline, ref);
    return ref;
  }

  protected lengthOf(): number {
    return 0;
  }

  protected write(ref: ScaledObjectRef): void {
    const { stream } = this;
    if (stream.destroyed || stream.closed) return;
    let told: boolean | undefined;
    const tell = () => {
      // A plan exists by now and is never removed, so this cannot throw.
      const active = wantedOf(this.#pipeline, ref) > 0;
      if (active === told || stream.destroyed || stream.writableEnded) return;
      told = active;
      for (const part of framed(writeMessage(streamIsActive.output, { result: active }))) stream.write(part);
    };
    this.respond(stopping);
    this.#isStreaming = true;
    tell();
    stream.once('close', this.#pipeline.desired.onChange(tell));
  }
}
