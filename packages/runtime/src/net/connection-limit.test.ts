/** Bounds over all connections of a port, with refusals in each protocol. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
} from 'node:http2';
import { connect, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createSecureServer } from 'node:tls';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ask, HttpBench, inferBody, inferHeaders, overTls } from '../open-inference/http-bench.test-support.js';
import type { RunningServer, ServerOptions } from '../open-inference/start-server.js';
import { AcceptPressure } from './accept-pressure.js';
import { AsideTurns } from './aside-turns.js';
import { calls } from './backpressure.test-support.js';
import { limitConnections, type RefusedKind, smallPort } from './connection-limit.js';
import { OpenSessions } from './drain.js';
import { startHttpServer } from './http-server.js';
import { listen } from './listen.js';
import { crowded, refuseAndClose } from './refusal.js';

const bench = new HttpBench();
afterEach(() => bench.end());

async function start(more: Partial<ServerOptions> & { readonly wait?: () => Promise<void> } = {}) {
  const refused: RefusedKind[] = [];
  const { server, runner } = await bench.start({ grpcPort: 0, onRefusal: (kind) => refused.push(kind), ...more });
  return { server, runner, refused };
}

const GET = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n';
const INFER = `POST /v2/models/bench/infer HTTP/1.1\r\nhost: x\r\ncontent-length: ${inferBody.length}\r\n\r\n${inferBody}`;
const never = () => new Promise<void>(() => {});

/** Clients that send all their requests at once; resolves when all are answered. */
async function pipelineAtOnce(port: number, connections: number, requests: number): Promise<void> {
  const sockets = Array.from({ length: connections }, () => connect(port, '127.0.0.1').setEncoding('latin1'));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  // A server accepts few connections per turn.
  for (const socket of sockets) socket.write(GET);
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  const answered = sockets.map(
    (socket) =>
      new Promise<void>((resolve) => {
        let text = '';
        socket.on('data', (chunk: string) => {
          text += chunk;
          if (text.split('HTTP/1.1 200').length > requests) resolve();
        });
      }),
  );
  for (const socket of sockets) socket.write(GET.repeat(requests));
  await Promise.all(answered);
}

/** Text of the server until it closes the connection, or until `enough`. */
async function said(server: Pick<RunningServer, 'url'>, request: string, enough?: RegExp): Promise<string> {
  const socket = bench.socket(server);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    if (enough?.test(text)) socket.emit('enough');
  });
  socket.write(request);
  await new Promise((resolve) => socket.once('close', resolve).once('enough', resolve));
  return text;
}

function grpcSession({ grpcAddress }: RunningServer): ClientHttp2Session {
  const session = connectHttp2(`http://${grpcAddress}`).on('error', () => {});
  return session;
}

/** A port whose answers wait aside for ever. */
async function asideServer(mostConnections: number) {
  const [served, refused]: [string[], RefusedKind[]] = [[], []];
  const aside = new AsideTurns({ isHigh: true }, () => {});
  const limits = { mostConnections, mostStreams: 1, onRefusal: (kind: RefusedKind) => refused.push(kind) };
  const place = { host: '127.0.0.1', port: 0 };
  const server = await startHttpServer(
    { place, requestTimeoutMs: 60_000, limits, aside },
    ({ request, connection }) => {
      served.push(request.url ?? '');
      aside.take(connection, request, () => {});
    },
  );
  onTestFinished(() => server.close(0));
  return { server, served, refused };
}

/** New clients wait until the end of the test. */
function pressed(): void {
  const isHigh = vi.spyOn(AcceptPressure.prototype, 'isHigh', 'get').mockReturnValue(true);
  onTestFinished(() => isHigh.mockRestore());
}

/** Connections are accepted in the next turn of the event loop, in any order. */
async function accepted(socket: Socket): Promise<void> {
  await once(socket, 'connect');
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('connections', () => {
  it('beyond the bound are refused with 503 while all others wait for an answer', async () => {
    const { server, runner, refused } = await start({ maxConnections: 2, wait: never });
    for (let i = 0; i < 2; i++) bench.socket(server).write(INFER);
    await expect.poll(() => runner.inFlight).toBe(2);
    expect(await said(server, GET)).toMatch(/^HTTP\/1.1 503 .*connection: close.*"code":"DROPPED"/s);
    expect(refused).toEqual(['connection']);
  });

  it('beyond the bound take the place of one that has not asked, then of one that has been answered', async () => {
    const { server, refused } = await start({ maxConnections: 2 });
    const kept = bench.socket(server);
    kept.write(GET);
    await once(kept, 'data');
    const silent = bench.socket(server);
    silent.write('GET /l');
    await once(silent, 'connect');
    const [silentGone, keptGone] = [silent.resume(), kept].map(
      (socket) => new Promise((resolve) => socket.once('close', resolve)),
    );
    expect(await said(server, GET, /\}$/)).toMatch(/^HTTP\/1.1 200 /);
    await silentGone;
    expect(kept.destroyed).toBe(false);
    expect(await said(server, GET, /\}$/)).toMatch(/^HTTP\/1.1 200 /);
    await keptGone;
    expect(refused).toEqual([]);
  });

  it('beyond the bound take the place of a request that arrives slowly', async () => {
    let nowMs = 0;
    const begun: string[] = [];
    const refused: RefusedKind[] = [];
    const server = await startHttpServer(
      {
        place: { host: '127.0.0.1', port: 0 },
        requestTimeoutMs: 60_000,
        limits: { mostConnections: 2, mostStreams: 1, onRefusal: (kind) => refused.push(kind) },
        nowMs: () => nowMs,
      },
      ({ request }) => begun.push(request.url ?? ''),
    );
    onTestFinished(() => server.close(0));
    const port = Number(new URL(server.url).port);
    const send = (text: string) => {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      onTestFinished(() => void socket.destroy());
      const answer = once(socket, 'data');
      socket.write(text);
      return { socket, answer: answer.then(([first]) => String(first)) };
    };
    const head = (path: string, length: number) =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`;
    const whole = send(`${head('/whole', 1)}x`);
    await expect.poll(() => begun).toEqual(['/whole']);
    const slow = send(`${head('/slow', 100)}x`);
    await expect.poll(() => begun).toEqual(['/whole', '/slow']);
    expect(await send(GET).answer).toMatch(/^HTTP\/1.1 503 /);
    nowMs = 1000;
    send(`${head('/next', 1)}x`);
    expect(await slow.answer).toMatch(/^HTTP\/1.1 408 .*connection: close/s);
    await once(slow.socket, 'close');
    await expect.poll(() => begun).toEqual(['/whole', '/slow', '/next']);
    expect(whole.socket.destroyed).toBe(false);
    expect(refused).toEqual(['connection', 'connection']);
  });

  it('beyond the bound take the place of the oldest one without a TLS handshake', async () => {
    const { server, refused } = await start({ ...overTls, maxConnections: 2 });
    const ports = [new URL(server.url).port, server.grpcAddress?.split(':').at(-1)].map(Number);
    for (const port of ports) {
      const oldest = connect(port, '127.0.0.1').resume();
      await accepted(oldest);
      const later = connect(port, '127.0.0.1').resume();
      await accepted(later);
      const isClosed = once(oldest, 'close');
      const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
      onTestFinished(() => {
        later.destroy();
        session.destroy();
      });
      await Promise.all([isClosed, once(session, 'remoteSettings')]);
      expect(later.destroyed).toBe(false);
    }
    expect(refused).toEqual([]);
  });

  it('over TLS take the place of a slow handshake, then of an idle connection, then of the oldest handshake', () => {
    const server = Object.assign(new EventEmitter(), { setSecureContext: () => {} });
    const closed: number[] = [];
    const idle = [1];
    let nowMs = 0;
    limitConnections(server as unknown as Server, {
      limits: { ...smallPort, mostConnections: 3 },
      closeOther: () => connections.get(idle.shift() ?? 0)?.destroy() ?? false,
      words: undefined,
      nowMs: () => nowMs,
    });
    const connections = new Map<number, { destroy: () => boolean }>();
    const arrive = (remotePort: number, atMs: number) => {
      nowMs = atMs;
      const destroy = () => closed.push(remotePort) > 0 && socket.emit('close');
      const socket = Object.assign(new EventEmitter(), { remoteAddress: 'client', remotePort, destroy });
      connections.set(remotePort, socket);
      server.emit('connection', socket);
    };
    arrive(1, 0);
    server.emit('secureConnection', connections.get(1));
    arrive(2, 0);
    arrive(3, 500);
    arrive(4, 999);
    expect(closed).toEqual([1]);
    idle.push(4);
    server.emit('secureConnection', connections.get(4));
    arrive(5, 1000);
    expect(closed).toEqual([1, 2]);
    arrive(6, 1000);
    expect(closed).toEqual([1, 2, 4]);
    arrive(7, 1000);
    expect(closed).toEqual([1, 2, 4, 3]);
  });

  it('without a TLS handshake can be closed', async () => {
    const server = createSecureServer(overTls.tls.current);
    const closeHandshakes = limitConnections(server, { limits: smallPort, closeOther: () => false, words: undefined });
    const { port, close } = await listen(server, { host: '127.0.0.1', port: 0 }, 'http');
    onTestFinished(() => void close());
    const connected = connectTls({ port, rejectUnauthorized: false }).resume();
    await once(server, 'secureConnection');
    const silent = connect(port, '127.0.0.1').resume();
    await once(server, 'connection');
    closeHandshakes();
    await once(silent, 'close');
    expect(connected.destroyed).toBe(false);
    connected.destroy();
  });

  it('beyond the bound take the place of one whose answer waits aside', async () => {
    const { server, served, refused } = await asideServer(2);
    const first = bench.socket(server);
    const firstGone = once(first.resume(), 'close');
    first.write('GET /first HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(() => served).toEqual(['/first']);
    for (const path of ['/second', '/third']) {
      bench.socket(server).write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      await expect.poll(() => served.at(-1)).toBe(path);
    }
    await firstGone;
    expect(refused).toEqual(['connection']);
  });

  it('over HTTP/2 beyond the bound take the place of one whose requests all arrive slowly', async () => {
    let nowMs = 0;
    const refused: RefusedKind[] = [];
    const limits = { ...smallPort, mostConnections: 2, onRefusal: (kind: RefusedKind) => refused.push(kind) };
    const server = createHttp2Server();
    const sessions = new OpenSessions(server, { windowBytes: 65_536, limits, nowMs: () => nowMs });
    const begun: string[] = [];
    server.on('stream', (stream, { ':path': path = '' }) => {
      stream.on('error', () => {}).resume();
      begun.push(path);
    });
    limitConnections(server, { limits, closeOther: () => sessions.closeSlow(), words: undefined });
    const { port, close } = await listen(server, { host: '127.0.0.1', port: 0 }, 'http2');
    const clients: ClientHttp2Session[] = [];
    onTestFinished(() => {
      for (const client of clients) client.destroy();
      void close();
    });
    const send = async (path: string, client?: ClientHttp2Session) => {
      const session = client ?? connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {});
      if (client === undefined) clients.push(session);
      session.request({ ':method': 'POST', ':path': path }).on('error', () => {});
      const isServed = () => begun.includes(path) || session.closed;
      await expect.poll(isServed).toBe(true);
      return session;
    };
    const mixed = await send('/slow-next-to-whole');
    mixed.request({ ':path': '/whole' }).on('error', () => {});
    await expect.poll(() => begun).toContain('/whole');
    const slow = await send('/slow');
    expect((await send('/too-early')).closed).toBe(true);
    nowMs = 1000;
    await send('/later');
    await expect.poll(() => slow.closed).toBe(true);
    expect([mixed.closed, begun]).toEqual([false, ['/slow-next-to-whole', '/whole', '/slow', '/later']]);
    expect(refused).toEqual(['connection', 'connection']);
  });

  it('beyond the bound are told over gRPC to be calm', async () => {
    const { server, runner, refused } = await start({ maxConnections: 1, wait: never });
    const session = grpcSession(server);
    calls.gRPC(session);
    await expect.poll(() => runner.inFlight).toBe(1);
    const socket = connect(Number(server.grpcAddress?.split(':').at(-1)), '127.0.0.1');
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect([bytes[3], bytes[12], bytes.readUInt32BE(22)]).toEqual([4, 7, constants.NGHTTP2_ENHANCE_YOUR_CALM]);
    expect(refused).toEqual(['connection']);
    session.destroy();
  });
});

describe('pipelined requests', () => {
  it('beyond the bound are refused once, after the answers before them, and end the connection', async () => {
    const { server, refused } = await start();
    const answers = await said(server, GET.repeat(1000));
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual([...Array(64).fill('HTTP/1.1 200'), 'HTTP/1.1 503']);
    expect(answers).toMatch(/connection: close.*"reason":"queue-full".*}$/s);
    expect(refused).toEqual(['pipelined']);
  });

  it('beyond the bound close the connection if answers before them wait aside', async () => {
    const { server, served, refused } = await asideServer(9);
    expect(await said(server, GET.repeat(1000))).toBe('');
    expect(served).toEqual(['/livez']);
    expect(refused).toEqual(['pipelined']);
  });

  it('whose bodies take more memory than allowed while they wait are refused', async () => {
    const { server, runner, refused } = await start({ wait: never });
    const socket = bench.socket(server);
    socket.write(INFER);
    await expect.poll(() => runner.inFlight).toBe(1);
    const body = 'x'.repeat(15_000);
    const head = `POST /v2/models/bench/infer HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;
    socket.write((head + body).repeat(40));
    await expect.poll(() => refused).toEqual(['pipelined']);
  });

  it('after a refusal are not parsed, and the parser serves later connections', async () => {
    const { server } = await start();
    let parsed = 0;
    const count = () => {
      parsed++;
    };
    const channel = 'http.server.request.start';
    subscribe(channel, count);
    onTestFinished(() => void unsubscribe(channel, count));
    for (let time = 1; time <= 3; time++) {
      expect(await said(server, GET.repeat(1000))).toContain('HTTP/1.1 503');
      expect(parsed).toBe(time * 65);
    }
    expect(await said(server, GET, /alive/)).toMatch(/^HTTP\/1.1 200/);
  });

  it('are few before the first answer of a connection, while new clients wait', async () => {
    pressed();
    const { server, refused } = await start();
    const answers = await said(server, GET.repeat(40));
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual([...Array(16).fill('HTTP/1.1 200'), 'HTTP/1.1 503']);
    expect(refused).toEqual(['pipelined']);
    const socket = bench.socket(server);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      if (text === '') socket.write(GET.repeat(40));
      text += chunk;
    });
    socket.write(GET);
    await expect.poll(() => text.match(/HTTP\/1.1 200/g)?.length).toBe(41);
  });

  it('within the bound are all answered, however many there are in all', async () => {
    const { server, refused } = await start();
    const socket = bench.socket(server);
    let answers = 0;
    socket.setEncoding('latin1').on('data', (text: string) => {
      for (const _ of text.matchAll(/HTTP\/1.1 200/g)) if (++answers < 200) socket.write(GET);
    });
    socket.write(GET.repeat(32));
    await expect.poll(() => answers).toBeGreaterThanOrEqual(200);
    expect(refused).toEqual([]);
  });

  it('of many connections begin in turns of the event loop', async () => {
    const perTurn = [0];
    const place = { host: '127.0.0.1', port: 0 };
    const server = await startHttpServer({ place, requestTimeoutMs: 60_000, limits: smallPort }, ({ response }) => {
      const turn = perTurn.length - 1;
      if (perTurn[turn] === 0) setImmediate(() => perTurn.push(0));
      perTurn[turn] = (perTurn[turn] ?? 0) + 1;
      response.end();
    });
    onTestFinished(() => server.close(0));
    await pipelineAtOnce(Number(new URL(server.url).port), 8, 64);
    // An entry may count two turns, and the first request of each connection never waits. Without turns, the maximum
    // would be 8 · 64.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * 64 + 8);
  });
});

describe('a connection over HTTP/1.1', () => {
  /** A server that exposes its requests, and a client that has sent `count` requests. */
  async function received(count: number): Promise<readonly IncomingMessage[]> {
    const requests: IncomingMessage[] = [];
    const server = createServer((request) => requests.push(request));
    limitConnections(server, { limits: smallPort, closeOther: () => false, words: undefined });
    const { port, close } = await listen(server, { host: '127.0.0.1', port: 0 }, 'http');
    onTestFinished(() => {
      void close();
      server.closeAllConnections();
    });
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .write(GET.repeat(count));
    await expect.poll(() => requests.length).toBe(count);
    return requests;
  }

  it('is never read again after a refusal, whatever resumes it', async () => {
    const server = createServer();
    const paused = new Promise<boolean>((resolve) => {
      server.on('request', async (request, response) => {
        // Node resumes the socket after each answer.
        const resumed = once(request.socket, 'resume');
        refuseAndClose(response, crowded());
        request.socket.resume();
        await resumed;
        resolve(request.socket.isPaused());
      });
    });
    const { port, close } = await listen(server, { host: '127.0.0.1', port: 0 }, 'http');
    onTestFinished(() => void close());
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .write(GET);
    expect(await paused).toBe(true);
  });

  it('ends with errors without stacks for its requests, and only those', async () => {
    const { stackTraceLimit } = Error;
    const [first, second] = await received(2);
    const errors: Error[] = [];
    for (const request of [first, second]) request?.on('error', (error) => errors.push(error));
    first?.socket.destroy();
    await expect.poll(() => errors.length).toBe(2);
    expect(errors.map(({ stack }) => stack)).toEqual(['Error: aborted', 'Error: aborted']);
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(stackTraceLimit).toBeGreaterThan(0);
  });
});

describe('streams', () => {
  const open = (session: ClientHttp2Session): ClientHttp2Stream =>
    session.request(inferHeaders, { endStream: false }).on('error', () => {});
  const refusedOf = (streams: readonly ClientHttp2Stream[]) =>
    streams.filter(({ rstCode }) => rstCode === constants.NGHTTP2_REFUSED_STREAM).length;

  it('of one connection are at most as many as all connections leave free', async () => {
    const { server, refused } = await start({ ...overTls, maxStreams: 40 });
    const greedy = bench.session(server);
    const streams = Array.from({ length: 30 }, () => open(greedy));
    await expect.poll(() => refusedOf(streams)).toBe(10);
    expect(new Set(refused)).toEqual(new Set(['stream']));
    const modest = bench.session(server);
    expect((await ask(modest, inferHeaders, inferBody).reply).status).toBe(200);
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    const later = ask(greedy, inferHeaders, inferBody).reply;
    expect((await later).status).toBe(200);
  });

  it('whose requests do not end make room for others after half a second', async () => {
    const { server } = await start({ grpcPort: 0, maxStreams: 20 });
    const path = '/inference.GRPCInferenceService/ModelInfer';
    const call = (session: ClientHttp2Session) =>
      session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' }).on('error', () => {});
    // Each connection may take half of the free streams, so several take all.
    const silent = Array.from({ length: 8 }, () => grpcSession(server)).flatMap((session) =>
      Array.from({ length: 12 }, () => call(session)),
    );
    await expect.poll(() => refusedOf(silent)).toBe(silent.length - 20);
    const modest = grpcSession(server);
    const codes: number[] = [];
    await expect
      .poll(async () => {
        const stream = call(modest);
        stream.end();
        await once(stream.resume(), 'close');
        codes.push(stream.rstCode);
        return codes.at(-1);
      })
      .toBe(constants.NGHTTP2_NO_ERROR);
    await expect.poll(() => refusedOf(silent)).toBe(silent.length - 19);
  });

  it('are granted to a new connection by its share of all', async () => {
    const { server } = await start({ ...overTls, maxStreams: 300 });
    const granted: number[] = [];
    for (const most of [256, 150, 100]) {
      const session = bench.session(server);
      session.on('remoteSettings', ({ maxConcurrentStreams = 0 }) => granted.push(maxConcurrentStreams));
      await expect.poll(() => granted.at(-1)).toBe(most);
    }
  });

  it('are few before the first answer of a connection that comes while new clients wait', async () => {
    pressed();
    const { server } = await start(overTls);
    const session = bench.session(server);
    const granted: number[] = [];
    session.on('remoteSettings', ({ maxConcurrentStreams = 0 }) => granted.push(maxConcurrentStreams));
    const streams = Array.from({ length: 40 }, () => open(session));
    await expect.poll(() => refusedOf(streams)).toBe(40 - 16);
    await expect.poll(() => granted.at(-1)).toBe(16);
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    // For the server, a stream is open until it has been taken down.
    const asked = () => ask(session, inferHeaders, inferBody).reply.catch(() => undefined);
    await expect.poll(async () => (await asked())?.status).toBe(200);
    await expect.poll(() => granted.at(-1)).toBe(256);
  });

  it('that are refused again and again end their connection', async () => {
    const { server, refused } = await start({ ...overTls, maxStreams: 4 });
    const session = bench.session(server);
    const goaway = once(session, 'goaway');
    for (let i = 0; i < 200; i++) open(session);
    expect((await goaway)[0]).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(refused.filter((kind) => kind === 'stream').length).toBe(99);
    expect(refused.filter((kind) => kind === 'calm').length).toBe(1);
  });

  it('of gRPC are refused likewise', async () => {
    const { server, refused } = await start({ maxStreams: 4 });
    const session = grpcSession(server);
    const headers = {
      ...inferHeaders,
      ':path': '/inference.GRPCInferenceService/ModelInfer',
      'content-type': 'application/grpc',
    };
    const streams = Array.from({ length: 6 }, () =>
      session.request(headers, { endStream: false }).on('error', () => {}),
    );
    await expect.poll(() => refusedOf(streams)).toBe(4);
    expect(refused).toEqual(Array(4).fill('stream'));
    session.destroy();
  });
});
