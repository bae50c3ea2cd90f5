/** A one-stage pipeline served over HTTP and gRPC, for tests of client connections. */

import type { SecureClientSessionOptions } from 'node:http2';
import { type ClientHttp2Session, connect as connectHttp2, constants, type OutgoingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { selfSigned } from '@equipoise/testkit';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { type RunningServer, type ServerOptions, startServer } from './start-server.js';
import { parseTenantFile } from './tenants/tenant-file.js';
import { Tenants } from './tenants/tenants.js';

const { cert, key } = selfSigned('bench');

/** Options of a TLS server with HTTP/2; sessions of the bench trust its certificate. */
export const overTls = {
  tls: { current: { cert: Buffer.from(cert), key: Buffer.from(key) }, onChange: () => () => {} },
};

/** An inference request with one number. */
export const inferBody = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }] });

export const INFER_PATH = '/v2/models/bench/infer';

/** Tenants of a token file with these lines. */
export const tenantsOf = (...lines: readonly string[]): Tenants =>
  new Tenants(parseTenantFile(lines.join('\n'), 'tokens'));

/** Answer on a stream. */
export interface StreamReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** Servers and clients that end together. */
export class HttpBench {
  readonly #ends: (() => unknown)[] = [];

  /** Starts the pipeline `bench`, whose replica answers when `wait` resolves. */
  async start(
    more: Partial<ServerOptions> & { readonly wait?: () => Promise<void>; readonly sloLatencyMs?: number } = {},
  ) {
    const { wait = async () => {}, sloLatencyMs = 60_000, ...options } = more;
    const spec = servingSpec(['a'], { slo: { latencyMs: sloLatencyMs, percentile: 99 } });
    const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
    serve(runner, 'a', Object.assign(new ScriptedRunner((item) => item, wait), { keepsTensors: true }));
    const server = await startServer({ runners: [runner], version: '9.9.9', port: 0, ...options });
    this.#ends.push(() => server.close({ timeoutMs: 100 }));
    return { runner, server };
  }

  session({ url }: Pick<RunningServer, 'url'>, options: SecureClientSessionOptions = {}): ClientHttp2Session {
    const session = connectHttp2(url, { ca: cert, ...options });
    session.on('error', () => {});
    this.#ends.push(() => session.destroy());
    return session;
  }

  socket({ url }: Pick<RunningServer, 'url'>): Socket {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => {});
    this.#ends.push(() => socket.destroy());
    return socket;
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#ends
        .splice(0)
        .reverse()
        .map((end) => end()),
    );
  }
}

/** Sends a request over a session and reads its answer; without `body` the stream stays open. */
export function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Uint8Array) {
  const stream = session.request(headers, { endStream: false });
  const reply = new Promise<StreamReply>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('response', async (answer) => {
      let text = '';
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        text += chunk;
      });
      stream.on('end', () => resolve({ status: Number(answer[constants.HTTP2_HEADER_STATUS]), headers: answer, text }));
    });
  });
  if (body !== undefined) stream.end(body);
  return { stream, reply };
}

/** Headers of an inference request. */
export const inferHeaders: OutgoingHttpHeaders = {
  ':method': 'POST',
  ':path': INFER_PATH,
  'content-type': 'application/json',
};
