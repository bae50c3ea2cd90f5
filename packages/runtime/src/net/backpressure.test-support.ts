/** Clients that read their answers slowly or not at all, for the tests of back-pressure. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { grpcMethods, grpcPath, writeGrpcRequest } from '@equipoise/open-inference-codec';
import { selfSigned } from '@equipoise/testkit';
import { fp32 } from '../data-plane/serving-bench.test-support.js';
import { framed } from '../open-inference/grpc/grpc-bench.test-support.js';
import { inferHeaders } from '../open-inference/http-bench.test-support.js';
import { endServers, INFER, specFor, start, tensorOf } from '../open-inference/server-bench.test-support.js';
import type { ServerOptions } from '../open-inference/start-server.js';

/** More than the send and receive buffers of a connection hold (on Linux by default at most 4 and 6 MiB). */
export const ANSWER_BYTES = 12 * 1024 * 1024;
export const PATIENCE_MS = 250;
export const body = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }],
  parameters: { binary_data_output: true },
});
export const request = `POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const { cert, key } = selfSigned('unread');

const ends: (() => void)[] = [];
/** Closes everything that a test opened. */
export async function endAll(): Promise<void> {
  for (const end of ends.splice(0)) end();
  await endServers();
}

interface Options extends Partial<ServerOptions> {
  readonly answerBytes?: number;
  readonly wait?: () => Promise<void>;
  readonly replicas?: number;
}

/** A server with large answers, and memory for one and a half of them. Records the codes of its answers. */
export async function large({ answerBytes = ANSWER_BYTES, ...options }: Options = {}) {
  const codes: string[] = [];
  const spec = specFor([tensorOf('FP32', [-1])], { slo: { latencyMs: 60_000, percentile: 99 } });
  const metrics = { contentType: 'text/plain', text: async () => 'much\n'.repeat(1000) };
  const started = await start(spec, ({ x = fp32([1], 1) }) => ({ y: bigger(x, answerBytes) }), {
    ...{ requestTimeoutMs: PATIENCE_MS, maxOutboundBytes: 1.5 * ANSWER_BYTES, grpcPort: 0, metrics },
    ...{ onAnswer: ({ code }) => codes.push(code), ...options },
  });
  const asked = async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${started.server.url}${INFER}`, { method: 'POST', body, headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  return { ...started, codes, asked };
}

function bigger({ shape }: { readonly shape: readonly number[] }, bytes: number) {
  const elements = bytes / 4;
  return { datatype: 'FP32', shape: [...shape.slice(1), elements], data: new Float32Array(elements) } as const;
}

export const kinds = ['HTTP/1.1', 'HTTP/1.1 and TLS'] as const;
const current = { cert: Buffer.from(cert), key: Buffer.from(key) };
export const optionsOf = (kind: (typeof kinds)[number]) =>
  kind === 'HTTP/1.1' ? {} : { tls: { current, onChange: () => () => {} } };

/** A connection that has sent a request and reads only on demand. */
export function silentClient(url: string, requests = request): Socket {
  const { port, protocol } = new URL(url);
  const to = { port: Number(port), host: '127.0.0.1' };
  const socket =
    protocol === 'https:' ? connectTls({ ...to, ca: cert, checkServerIdentity: () => undefined }) : connect(to);
  socket.on('error', () => {}).pause();
  socket.write(requests);
  ends.push(() => socket.destroy());
  return socket;
}

/** Takes so many answers, after which the server runs as many requests of the connection at a time, and one more. */
export async function takeAnswers(client: Socket, count: number): Promise<void> {
  let text = '';
  const take = (chunk: Buffer) => {
    text += chunk.toString('latin1');
  };
  client.on('data', take).resume();
  client.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(count));
  while (text.split('HTTP/1.1 200').length <= count) await once(client, 'data');
  client.off('data', take).pause();
}

/**
 * Repeats `read` if its result is below `enough` and this process stalled. A stall stops the client, but uses up the
 * patience.
 */
export async function unlessStalled(enough: number, read: () => Promise<number>): Promise<number> {
  const delayed = monitorEventLoopDelay();
  for (;;) {
    delayed.reset();
    delayed.enable();
    const length = await read();
    delayed.disable();
    if (length >= enough || delayed.max / 1e6 < PATIENCE_MS / 2) return length;
  }
}

/** Reads at about `bytesPerMs` until `until` bytes or the end; returns the number of bytes. */
export async function readSlowly(
  socket: Socket,
  { bytesPerMs, until }: { bytesPerMs: number; until: number },
): Promise<number> {
  let length = 0;
  const startedAtMs = performance.now();
  socket.on('data', async (chunk) => {
    length += chunk.length;
    const aheadMs = startedAtMs + length / bytesPerMs - performance.now();
    if (aheadMs <= 0) return;
    socket.pause();
    await delay(aheadMs);
    socket.resume();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  const enough = (async () => {
    while (length < until && !socket.destroyed) await delay(5);
  })();
  await Promise.race([closed, enough]);
  return length;
}

/** Sends a request for one answer over a session. */
export const calls = {
  'HTTP/2': (session: ClientHttp2Session) => asking(session, inferHeaders, body),
  gRPC: (session: ClientHttp2Session) =>
    asking(
      session,
      {
        ...{ ':method': 'POST', ':path': grpcPath(grpcMethods.modelInfer) },
        ...{ 'content-type': 'application/grpc', te: 'trailers' },
      },
      framed(writeGrpcRequest('bench', { inputs: { x: fp32([1], 1) } }, true)),
    ),
};

function asking(session: ClientHttp2Session, headers: OutgoingHttpHeaders, message: string | Buffer) {
  const stream = session.request(headers, { endStream: false });
  stream.on('error', () => {});
  return stream.end(message);
}

/** Reads a stream to any end; returns the number of bytes. */
export async function lengthOf(stream: ClientHttp2Stream): Promise<number> {
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
  });
  await once(stream, 'close');
  return length;
}

/** URL of a proxy to a port; each answer chunk waits for `passed`. */
export async function slowLink(port: number, passed: (bytes: number) => Promise<unknown>): Promise<string> {
  const link = createServer((client) => {
    const socket = connect(port, '127.0.0.1');
    for (const end of [socket, client]) end.on('error', () => {});
    client.pipe(socket);
    client.on('close', () => socket.destroy());
    socket.on('close', () => client.destroy());
    socket.on('data', async (chunk) => {
      socket.pause();
      await passed(chunk.length);
      client.write(chunk);
      socket.resume();
    });
  }).listen(0, '127.0.0.1');
  ends.push(() => link.close());
  await once(link, 'listening');
  return `http://127.0.0.1:${(link.address() as AddressInfo).port}`;
}

/** An HTTP/2 session whose client has no window for bodies. */
export const silentSession = (url: string) => clientSession(url, 0);

/** An HTTP/2 session with this window per stream. */
export function clientSession(url: string, initialWindowSize: number): ClientHttp2Session {
  const session = connectHttp2(url, {
    settings: { initialWindowSize },
    ca: cert,
    checkServerIdentity: () => undefined,
  });
  session.on('error', () => {});
  ends.push(() => session.destroy());
  return session;
}
