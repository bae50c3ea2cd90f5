/** Sends one call over a shared session and reports its status. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { GrpcCase } from './grpc-cases.js';

/**
 * A gRPC status, an HTTP status without one of gRPC, a stream or session that the server closed, or no answer in time.
 */
export type CallOutcome = { readonly grpc: number } | { readonly http: number } | 'closed' | 'hung';

const PATIENCE_MS = 15_000;

export class GrpcShooter {
  readonly #address: string;
  #session: ClientHttp2Session | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  shoot({ headers, bytes }: GrpcCase): Promise<CallOutcome> {
    return new Promise((resolve) => {
      const stream = this.#open(headers);
      if (stream === undefined) {
        resolve('closed');
        return;
      }
      let outcome: CallOutcome = 'closed';
      const timer = setTimeout(() => {
        outcome = 'hung';
        stream.close(constants.NGHTTP2_CANCEL);
      }, PATIENCE_MS);
      stream.on('response', (answer) => {
        outcome = statusOf(answer) ?? { http: Number(answer[':status']) };
      });
      stream.on('trailers', (trailers) => {
        outcome = statusOf(trailers) ?? outcome;
      });
      stream.on('error', () => {});
      stream.on('close', () => {
        clearTimeout(timer);
        resolve(outcome);
      });
      stream.resume();
      stream.end(bytes);
    });
  }

  close(): void {
    this.#session?.destroy();
  }

  #open(headers: Readonly<Record<string, string>>): ClientHttp2Stream | undefined {
    if (this.#session === undefined || this.#session.destroyed || this.#session.closed) {
      this.#session = connect(`http://${this.#address}`);
      this.#session.on('error', () => {});
    }
    try {
      return this.#session.request({
        ...{ ':method': 'POST', ':path': '/inference.GRPCInferenceService/ModelInfer' },
        ...{ te: 'trailers', 'content-type': 'application/grpc' },
        ...headers,
      });
    } catch {
      // The client itself refuses these headers.
      return undefined;
    }
  }
}

function statusOf(headers: Readonly<Record<string, unknown>>): { readonly grpc: number } | undefined {
  const status = headers['grpc-status'];
  return status === undefined ? undefined : { grpc: Number(status) };
}
