/** Clients that read their answers slowly or not at all: what they hold is bounded, in bytes and in time, and what is read arrives whole. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { grpcMethods, grpcPath, writeGrpcRequest } from '@equipoise/open-inference-codec';
import { selfSigned } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { fp32 } from '../data-plane/serving-bench.test-support.js';
import { framed } from '../open-inference/grpc/grpc-bench.test-support.js';
import { ask, inferHeaders } from '../open-inference/http-bench.test-support.js';
import { endServers, INFER, specFor, start, tensorOf } from '../open-inference/server-bench.test-support.js';
import type { ServerOptions } from '../open-inference/start-server.js';

/** More than the buffers of a connection take on both of its sides: at most 4 and 6 MiB, unless Linux is told otherwise. */
const ANSWER_BYTES = 12 * 1024 * 1024;
const PATIENCE_MS = 250;
const body = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }],
  parameters: { binary_data_output: true },
});
const request = `POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const { cert, key } = selfSigned('unread');

const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await endServers();
});

interface Options extends Partial<ServerOptions> {
  readonly answerBytes?: number;
  readonly wait?: () => Promise<void>;
  readonly replicas?: number;
}

/** A server whose answers are large, with room for one and a half of them, and the codes that it has counted. */
async function large({ answerBytes = ANSWER_BYTES, ...options }: Options = {}) {
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

const kinds = ['HTTP/1.1', 'HTTP/1.1 and TLS'] as const;
const current = { cert: Buffer.from(cert), key: Buffer.from(key) };
const optionsOf = (kind: (typeof kinds)[number]) =>
  kind === 'HTTP/1.1' ? {} : { tls: { current, onChange: () => () => {} } };

/** A connection that has asked and reads nothing until it is told to. */
function silentClient(url: string, requests = request): Socket {
  const { port, protocol } = new URL(url);
  const to = { port: Number(port), host: '127.0.0.1' };
  const socket =
    protocol === 'https:' ? connectTls({ ...to, ca: cert, checkServerIdentity: () => undefined }) : connect(to);
  socket.on('error', () => {}).pause();
  socket.write(requests);
  ends.push(() => socket.destroy());
  return socket;
}

/** Reads at about `bytesPerMs` until there are no more of `until` bytes, or the connection ends; how many there were. */
async function readSlowly(
  socket: Socket,
  { bytesPerMs, until }: { bytesPerMs: number; until: number },
): Promise<number> {
  let length = 0;
  socket.on('data', async (chunk) => {
    length += chunk.length;
    socket.pause();
    await delay(chunk.length / bytesPerMs);
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

describe('an answer that nobody reads', () => {
  it.each(kinds)('is cut off after a time, and makes room for the next: %s', async (kind) => {
    const { server, codes } = await large(optionsOf(kind));
    silentClient(server.url);
    await expect.poll(() => codes).toEqual(['OK']);
    silentClient(server.url);
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED']);
    // Its connection is closed, as the answers of the next show, which would have no room otherwise.
    await delay(3 * PATIENCE_MS);
    silentClient(server.url);
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED', 'OK']);
  });

  it.each(['/livez', '/v2/models/bench/ready', '/v2/models/bench', '/metrics'])(
    'does not cost those their answer that ask how the server is: %s',
    async (path) => {
      const { server, codes, send } = await large({ maxOutboundBytes: ANSWER_BYTES });
      silentClient(server.url);
      await expect.poll(() => codes).toEqual(['OK']);
      expect((await send(path)).status).toBe(200);
    },
  );

  it('leaves with its client, and with it those that wait behind it', async () => {
    const { server, codes, asked } = await large({ maxOutboundBytes: 2.5 * ANSWER_BYTES, requestTimeoutMs: 60_000 });
    const client = silentClient(server.url, request + request);
    await expect.poll(() => codes).toEqual(['OK', 'OK']);
    expect(await asked()).toBe(503);
    client.destroy();
    await expect.poll(asked).toBe(200);
  });

  it('is cut off over HTTP/2, and its stream alone', async () => {
    const { server, codes } = await large(optionsOf('HTTP/1.1 and TLS'));
    const session = silentSession(server.url);
    const { stream } = ask(session, inferHeaders, body);
    stream.on('error', () => {});
    await expect.poll(() => stream.closed).toBe(true);
    expect([stream.rstCode, codes]).toEqual([8, ['OK']]);
    const next = ask(session, inferHeaders, body);
    next.stream.on('error', () => {});
    await expect.poll(() => codes).toEqual(['OK', 'OK']);
  });

  it('is cut off over gRPC, and makes room', async () => {
    const { server, codes } = await large();
    const session = silentSession(`http://${server.grpcAddress}`);
    const call = () => calls.gRPC(session);
    const first = call();
    await expect.poll(() => codes).toEqual(['OK']);
    call();
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED']);
    await expect.poll(() => first.closed).toBe(true);
    expect(first.rstCode).toBe(8);
    call();
    await expect.poll(() => codes).toEqual(['OK', 'DROPPED', 'OK']);
  });
});

describe('an answer that is read slowly', () => {
  it.each(kinds)('comes whole, however long it takes: %s', async (kind) => {
    const { server } = await large(optionsOf(kind));
    const bytesPerMs = ANSWER_BYTES / (4 * PATIENCE_MS);
    expect(await readSlowly(silentClient(server.url), { bytesPerMs, until: ANSWER_BYTES })).toBeGreaterThan(
      ANSWER_BYTES,
    );
  });

  it('comes whole though the server closes meanwhile', async () => {
    // Small ones, as many at once as no buffers take, are written to their ends long before they leave.
    const [count, answerBytes] = [ANSWER_BYTES / 2 ** 20, 2 ** 20];
    const { server, codes } = await large({ answerBytes });
    const client = silentClient(server.url, request.repeat(count));
    await expect.poll(() => codes.length).toBe(count);
    const closed = server.close({ timeoutMs: 20_000 });
    const bytesPerMs = ANSWER_BYTES / PATIENCE_MS;
    expect(await readSlowly(client, { bytesPerMs, until: ANSWER_BYTES })).toBeGreaterThanOrEqual(ANSWER_BYTES);
    await closed;
  });

  it('waits behind one that is still to come, however long that takes', async () => {
    let batches = 0;
    const wait = () => delay(batches++ === 0 ? 8 * PATIENCE_MS : 0);
    const { server } = await large({ wait, replicas: 2, maxOutboundBytes: 3 * ANSWER_BYTES });
    const client = silentClient(server.url, request + request);
    const until = 2 * ANSWER_BYTES;
    expect(await readSlowly(client, { bytesPerMs: ANSWER_BYTES, until })).toBeGreaterThanOrEqual(until);
  });

  it('leaves its connection to the request behind it, however long that takes', async () => {
    let batches = 0;
    const wait = () => delay(batches++ === 0 ? 0 : 8 * PATIENCE_MS);
    const { server } = await large({ wait, maxOutboundBytes: 3 * ANSWER_BYTES });
    const client = silentClient(server.url, request);
    setTimeout(() => client.write(request), PATIENCE_MS / 4);
    const until = 2 * ANSWER_BYTES;
    expect(await readSlowly(client, { bytesPerMs: ANSWER_BYTES, until })).toBeGreaterThanOrEqual(until);
  });
});

/** The most that a client of HTTP/2 may grant: the server hands over at once whatever there is. */
const ALL = 2 ** 31 - 1;

describe('answers that share a connection of HTTP/2', () => {
  const [answerBytes, count, patienceMs] = [2 ** 20 - 4096, 24, 1000];
  const many = (link: 'plain' | 'TLS' = 'plain') =>
    large({
      ...{ answerBytes, requestTimeoutMs: patienceMs, maxOutboundBytes: 2 * count * answerBytes },
      ...(link === 'TLS' && optionsOf('HTTP/1.1 and TLS')),
    });

  it.each([
    ['HTTP/2', 'TLS', 65_535],
    ['HTTP/2', 'TLS', ALL],
    ['gRPC', 'plain', 65_535],
    ['gRPC', 'plain', ALL],
    ['gRPC', 'TLS', ALL],
  ] as const)('come whole over a slow link, however many there are: %s, %s, window %d', async (kind, link, window) => {
    const { server } = await many(link);
    const { port } = new URL(kind === 'gRPC' ? `http://${server.grpcAddress}` : server.url);
    // Slow enough that all together take twice as long as one may take nothing.
    const url = await slowLink(Number(port), (bytes) => delay((bytes * 2 * patienceMs) / (count * answerBytes)));
    const session = clientSession(link === 'TLS' ? url.replace('http:', 'https:') : url, window);
    await once(session, 'connect');
    session.setLocalWindowSize(window);
    const lengths = await Promise.all(Array.from({ length: count }, () => lengthOf(calls[kind](session))));
    expect(lengths.filter((length) => length < answerBytes)).toEqual([]);
  });

  it.each([
    ['gRPC', 'plain'],
    ['HTTP/2', 'TLS'],
  ] as const)('are dropped with it when it stands still, whatever was granted: %s, %s', async (kind, link) => {
    const { server, codes } = await many(link);
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { port } = new URL(kind === 'gRPC' ? `http://${server.grpcAddress}` : server.url);
    const url = await slowLink(Number(port), () => (codes.length === 0 ? delay(0) : opened));
    const session = clientSession(link === 'TLS' ? url.replace('http:', 'https:') : url, ALL);
    await once(session, 'connect');
    session.setLocalWindowSize(ALL);
    const lengths = Promise.all(Array.from({ length: count }, () => lengthOf(calls[kind](session))));
    await expect.poll(() => codes.length).toBe(count);
    await delay(2 * patienceMs);
    open();
    // What the buffers of the connection hold still comes.
    expect((await lengths).filter((length) => length < answerBytes).length).toBeGreaterThan(count / 3);
  });

  it.each(['HTTP/2', 'gRPC'] as const)('cost the one its place that is not read: %s', async (kind) => {
    const { server } = await many(kind === 'gRPC' ? 'plain' : 'TLS');
    const session = clientSession(kind === 'gRPC' ? `http://${server.grpcAddress}` : server.url, 65_535);
    const unread = calls[kind](session).pause();
    const lengths: number[] = [];
    const since = performance.now();
    while (!unread.closed && performance.now() - since < 20 * patienceMs) {
      lengths.push(await lengthOf(calls[kind](session)));
    }
    expect([unread.closed, unread.rstCode]).toEqual([true, 8]);
    expect(lengths.filter((length) => length < answerBytes)).toEqual([]);
  });
});

/** How a session asks for one answer. */
const calls = {
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

/** Reads a stream to its end, whatever that is; how many bytes there were. */
async function lengthOf(stream: ClientHttp2Stream): Promise<number> {
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
  });
  await once(stream, 'close');
  return length;
}

/** The URL of a link to a port, over which answers come as `passed` lets so many bytes of them pass. */
async function slowLink(port: number, passed: (bytes: number) => Promise<unknown>): Promise<string> {
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

/** A session of HTTP/2 whose client grants no room for bodies. */
const silentSession = (url: string) => clientSession(url, 0);

/** A session of HTTP/2 whose client grants each stream so much room. */
function clientSession(url: string, initialWindowSize: number): ClientHttp2Session {
  const session = connectHttp2(url, {
    settings: { initialWindowSize },
    ca: cert,
    checkServerIdentity: () => undefined,
  });
  session.on('error', () => {});
  ends.push(() => session.destroy());
  return session;
}
