/**
 * StreamIsActive: whether replicas are wanted at all, at once and again whenever that changes, until the client goes. So a stage that stands
 * at none is started without waiting for KEDA to ask.
 */
import { readMessage, writeMessage } from '@equipoise/open-inference-codec';
import { grpcRefusal } from '../open-inference/grpc/grpc-refusal.js';
import { type GrpcRefusal, grpcStatus, refusing } from '../open-inference/grpc/grpc-status.js';
import { type CallStream, refuseCall } from '../open-inference/grpc/unary-call.js';
import { decompressed, framed, UnaryMessage } from '../open-inference/grpc/unary-message.js';
import { ExternalScaler, type ScaledObjectRef } from './external-scaler.gen.js';
import { type ScaledPipeline, wantedOf } from './scaled-part.js';

const { streamIsActive } = ExternalScaler.method;

const stopping = { 'grpc-status': String(grpcStatus.unavailable), 'grpc-message': 'The server is shutting down.' };

/** How long and how large the one message of the client may be. */
export interface StreamLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** The streams that are open. */
export class ActivityStreams {
  readonly #pipeline: ScaledPipeline;
  readonly #limits: StreamLimits;
  readonly #ending = new Set<() => void>();

  constructor(pipeline: ScaledPipeline, limits: StreamLimits) {
    this.#pipeline = pipeline;
    this.#limits = limits;
  }

  /** Reads what the client asks for and tells it until one of both ends. */
  async serve({ stream, headers }: CallStream): Promise<void> {
    const asked = await this.#asked(stream, String(headers['grpc-encoding'] ?? 'identity'));
    if (stream.destroyed || stream.closed) return;
    if ('code' in asked) refuseCall(stream, asked);
    else this.#tell(stream, asked);
  }

  /** Ends all of them; their clients come again elsewhere. */
  end(): void {
    for (const end of this.#ending) end();
  }

  async #asked(stream: CallStream['stream'], encoding: string): Promise<ScaledObjectRef | GrpcRefusal> {
    const { maxBytes } = this.#limits;
    const whole = await this.#message(stream);
    if ('code' in whole) return whole;
    const bytes = whole.compressed ? await decompressed(whole, { encoding, maxBytes }) : whole.bytes;
    if ('code' in bytes) return bytes;
    try {
      const ref = readMessage(streamIsActive.input, bytes);
      wantedOf(this.#pipeline, ref);
      return ref;
    } catch (error) {
      return grpcRefusal(error);
    }
  }

  #message(stream: CallStream['stream']): Promise<ReturnType<UnaryMessage['end']>> {
    const { maxBytes, timeoutMs } = this.#limits;
    const message = new UnaryMessage(maxBytes);
    return new Promise((resolve) => {
      const late = refusing(grpcStatus.deadlineExceeded, 'The message did not arrive in time.');
      const timer = setTimeout(() => resolve(late), timeoutMs).unref();
      stream.on('data', (chunk: Buffer) => {
        const refusal = message.take(chunk);
        if (refusal !== undefined) resolve(refusal);
      });
      stream.once('end', () => resolve(message.end()));
      stream.once('close', () => {
        clearTimeout(timer);
        resolve(late);
      });
    });
  }

  #tell(stream: CallStream['stream'], ref: ScaledObjectRef): void {
    let told: boolean | undefined;
    const look = () => {
      const active = this.#isActive(ref);
      if (active === told || stream.destroyed || stream.writableEnded) return;
      told = active;
      for (const part of framed(writeMessage(streamIsActive.output, { result: active }))) stream.write(part);
    };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(stopping));
    look();
    const forget = this.#pipeline.desired.onChange(look);
    const end = () => void stream.end();
    this.#ending.add(end);
    stream.once('close', () => {
      forget();
      this.#ending.delete(end);
    });
  }

  /** A plan that was there stays, so nothing of this is ever refused. */
  #isActive(ref: ScaledObjectRef): boolean {
    return wantedOf(this.#pipeline, ref) > 0;
  }
}
