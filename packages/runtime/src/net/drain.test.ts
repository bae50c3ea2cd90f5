import { EventEmitter, once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { writeGrpcRequest } from '@equipoise/open-inference-codec';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fp32 } from '../data-plane/serving-bench.test-support.js';
import { grpcBench } from '../open-inference/grpc/grpc-bench.test-support.js';
import {
  ask,
  HttpBench,
  INFER_PATH,
  inferBody,
  inferHeaders,
  overTls,
} from '../open-inference/http-bench.test-support.js';
import type { RunningServer } from '../open-inference/start-server.js';
import { smallPort } from './connection-limit.js';
import { OpenSessions } from './drain.js';

const bench = new HttpBench();
const never = () => new Promise<void>(() => {});
const grpcMessage = writeGrpcRequest('bench', { inputs: { x: fp32([1], 1) } }, true);

afterEach(() => bench.end());

/** One request over the connections of `agent`, read to its end. */
async function send(agent: Agent, url: string, body?: string): Promise<IncomingMessage> {
  const sent = request(url, { agent, method: body === undefined ? 'GET' : 'POST' }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await response.resume().toArray();
  return response;
}

/** Drains the server within 10 s; `over` is true once drained. */
function leaving(server: RunningServer) {
  const state = { over: false };
  const left = server.drain(10_000).then(() => {
    state.over = true;
  });
  return { state, left };
}

/** Time for effects that the test cannot observe. */
const moment = () => new Promise((resolve) => setTimeout(resolve, 50));

describe('a server that leaves', () => {
  it('answers who has kept a connection, tells him that it closes, and is not ready', async () => {
    const { server } = await bench.start();
    const [kept, probes] = [new Agent({ keepAlive: true, maxSockets: 1 }), new Agent()];
    const infer = () => send(kept, `${server.url}${INFER_PATH}`, inferBody);
    expect((await infer()).headers.connection).toBe('keep-alive');
    const { state, left } = leaving(server);
    await moment();
    expect((await send(probes, `${server.url}/readyz`)).statusCode).toBe(503);
    expect(state.over).toBe(false);
    expect(await infer()).toMatchObject({ statusCode: 200, headers: { connection: 'close' } });
    await left;
    await server.close();
    kept.destroy();
  });

  it('answers all that a session of HTTP/2 has sent before it could know, and lets it go', async () => {
    const { server } = await bench.start(overTls);
    const session = bench.session(server);
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
    const told: unknown[] = [];
    session.on('goaway', (code, lastStream) => told.push([code, lastStream]));
    const { state, left } = leaving(server);
    await moment();
    expect([state.over, session.closed]).toEqual([false, false]);
    const replies = [1, 2, 3].map(() => ask(session, inferHeaders, inferBody).reply);
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await left;
    await expect.poll(() => session.destroyed).toBe(true);
    expect(told[0]).toEqual([0, 2 ** 31 - 1]);
  });

  it('serves a session of HTTP/2 that comes meanwhile once', async () => {
    const { server } = await bench.start(overTls);
    const silent = bench.socket(server);
    await once(silent, 'connect');
    const { left } = leaving(server);
    await moment();
    const session = bench.session(server);
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
    await expect.poll(() => session.destroyed).toBe(true);
    silent.destroy();
    await left;
  });

  it('answers who has kept a connection of gRPC, and lets it go', async () => {
    const { server, inferred, close } = await grpcBench();
    await inferred(grpcMessage);
    const { state, left } = leaving(server);
    await moment();
    expect(state.over).toBe(false);
    expect((await Promise.all([1, 2, 3].map(() => inferred(grpcMessage)))).map(Boolean)).toEqual([true, true, true]);
    await left;
    await close();
  });

  it.each(['HTTP/1.1', 'HTTP/1.1 and TLS', 'HTTP/2'])('waits for no request over %s that is inside', async (kind) => {
    const { server, runner } = await bench.start({ wait: never, ...(kind !== 'HTTP/1.1' && overTls) });
    const url = `${server.url}${INFER_PATH}`;
    if (kind === 'HTTP/2') ask(bench.session(server), inferHeaders, inferBody).reply.catch(() => {});
    else {
      const options = { method: 'POST', ca: overTls.tls.current.cert };
      const sent = kind === 'HTTP/1.1' ? request(url, options) : requestOverTls(url, options);
      sent.on('error', () => {}).end(inferBody);
    }
    await expect.poll(() => runner.inFlight).toBe(1);
    await leaving(server).left;
  });

  it('waits for no call of gRPC that is inside', async () => {
    const { server, runner, infer, close } = await grpcBench({ wait: never });
    const call = infer(grpcMessage);
    await expect.poll(() => runner.inFlight).toBe(1);
    await leaving(server).left;
    call.cancel();
    await close();
  });

  it('waits for nobody where no connection is open, and for silent ones only so long', async () => {
    const { server } = await bench.start();
    await server.drain(10_000);
    const { server: other } = await bench.start();
    const silent = bench.socket(other);
    await once(silent, 'connect');
    await other.drain(50);
    await other.close({ timeoutMs: 50 });
    expect(silent.destroyed || (await once(silent, 'close'))).toBeTruthy();
  });
});

describe('a connection whose HTTP/2 session has ended', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** The client keeps its side open or reads nothing: the session never emits `close`. */
  function connection(state: { closed: boolean; destroyed: boolean }) {
    const server = new EventEmitter();
    const sessions = new OpenSessions(server as never, { windowBytes: 1, limits: smallPort });
    return { sessions, ...sessionOf(server, state) };
  }

  function sessionOf(server: EventEmitter, state: { closed: boolean; destroyed: boolean }, writeQueueSize = 0) {
    const socket = Object.assign(new EventEmitter(), {
      destroyed: false,
      bytesWritten: 0,
      _handle: { writeQueueSize },
      destroy: vi.fn(() => {
        socket.destroyed = true;
      }),
    });
    const methods = { settings: vi.fn(), setLocalWindowSize: vi.fn(), destroy: vi.fn() };
    const session = Object.assign(new EventEmitter(), { socket, ...methods, ...state });
    server.emit('session', session);
    return { session, socket };
  }

  const open = { closed: false, destroyed: false };
  const ended = [
    ['closed', { closed: true, destroyed: false }],
    ['destroyed', { closed: false, destroyed: true }],
  ] as const;

  it.each(ended)('is cut off if its client does not close it for 60 s, or up to twice that: %s', (_, state) => {
    const { session, socket } = connection(open);
    vi.advanceTimersByTime(59_999);
    Object.assign(session, state);
    vi.advanceTimersByTime(60_000);
    expect(socket.destroy).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(socket.destroy).toHaveBeenCalledOnce();
  });

  it('is not cut off while a stream is open', () => {
    const { session, socket } = connection({ closed: true, destroyed: false });
    const stream = new EventEmitter();
    session.emit('stream', stream);
    vi.advanceTimersByTime(600_000);
    expect(socket.destroy).not.toHaveBeenCalled();
    stream.emit('close');
    vi.advanceTimersByTime(120_000);
    expect(socket.destroy).toHaveBeenCalledOnce();
  });

  it.each([...ended, ['open, without a stream', open] as const])('makes room for a new one, once: %s', (_, state) => {
    const { sessions, socket } = connection(state);
    expect([sessions.closeIdle(), sessions.closeIdle()]).toEqual([true, false]);
    expect(socket.destroy).toHaveBeenCalledOnce();
  });

  it('makes room for a new one before an open one, and before one with unsent bytes', () => {
    const server = new EventEmitter();
    const sessions = new OpenSessions(server as never, { windowBytes: 1, limits: smallPort });
    const destroyed = { closed: true, destroyed: true };
    const unsent = sessionOf(server, destroyed, 1);
    const idle = sessionOf(server, open);
    const over = sessionOf(server, destroyed);
    const order = [over, idle, unsent].map(({ socket }) => {
      sessions.closeIdle();
      return socket.destroyed;
    });
    expect(order).toEqual([true, true, true]);
  });

  it('is left alone once its client has closed it', () => {
    const { sessions, session, socket } = connection({ closed: true, destroyed: true });
    session.emit('close');
    vi.advanceTimersByTime(120_000);
    expect(sessions.closeIdle()).toBe(false);
    expect(socket.destroy).not.toHaveBeenCalled();
  });
});
