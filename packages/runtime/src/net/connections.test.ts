/** HTTP/1.1 connections without a complete request, and clients that go away. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  endServers,
  image,
  overRawSocket,
  RUN,
  specFor,
  start,
  until,
} from '../open-inference/server-bench.test-support.js';
import { noPressure } from './accept-pressure.js';
import { SlowReaders } from './backpressure.js';
import { Http1Exchange } from './http-call.js';

afterEach(endServers);

describe('connections', () => {
  it.each([
    ['bytes that are no HTTP', ['\x16\x03\x01 hello\r\n\r\n'], 400],
    ['a length that lies', ['POST /v2 HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n'], 400],
    ['headers beyond all measure', [`GET / HTTP/1.1\r\nhost: x\r\na: ${'y'.repeat(20_000)}\r\n\r\n`], 400],
    ['two hosts', ['GET /livez HTTP/1.1\r\nhost: x\r\nHost: y\r\n\r\n'], 400],
    ['the first version of HTTP', ['GET /livez\r\n\r\n'], 400],
    ['a version that is none', ['GET /livez HTTP/2.0\r\nhost: x\r\n\r\n'], 400],
    ['two lengths', ['POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'], 400],
  ])('get an answer to %s', async (_, parts, status) => {
    const { server, send } = await start(specFor([image]));
    const reply = await overRawSocket(server, parts);
    expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(reply).toContain('"code":"MALFORMED_REQUEST"');
    expect((await send('/livez')).status).toBe(200);
  });

  it('get a refusal of a body in tiny chunks while it still arrives', async () => {
    const { server } = await start(specFor([image]));
    const head = `POST ${RUN} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n`;
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(`${head}${'1\r\na\r\n'.repeat(1100)}`);
    const [reply] = await once(socket, 'data');
    socket.destroy();
    expect(String(reply)).toMatch(/^HTTP\/1.1 400 .*Send larger chunks/s);
  });

  it('are closed if they go on with tiny chunks after their answer', () => {
    const request = Object.assign(new PassThrough(), { socket: { destroy: vi.fn() } });
    const port = { slowReaders: new SlowReaders(1000), pressure: noPressure };
    const exchange = new Http1Exchange(request as never, {} as never, { awaitsContinue: false, ...port });
    exchange.discardRest();
    for (let count = 0; count < 1023; count++) request.emit('data', Buffer.from('a'));
    expect(request.socket.destroy).not.toHaveBeenCalled();
    request.emit('data', Buffer.from('a'));
    expect(request.socket.destroy).toHaveBeenCalledOnce();
    // The connection pauses after 1 MiB, so that others get their turn.
    expect(request.isPaused()).toBe(false);
    request.emit('data', Buffer.alloc(1024 * 1024));
    expect(request.isPaused()).toBe(true);
    request.destroy();
  });

  it('never get the refusal of garbage in place of the answer to the request before it', async () => {
    const { server } = await start(specFor([image]), undefined, { wait: () => new Promise(() => {}) });
    const pending = `POST ${RUN} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1\r\n\r\na`;
    expect(await overRawSocket(server, [`${pending}garbage\r\n\r\n`])).toBe('');
  });

  it('time out when headers or body come too slowly', async () => {
    const { server } = await start(specFor([image]), undefined, { requestTimeoutMs: 150 });
    const slow = [
      'POST /v1/pipelines/bench/run HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 5\r\n\r\nab',
    ];
    for (const parts of [slow, ['GET /liv']]) {
      expect(await overRawSocket(server, parts)).toMatch(/^HTTP\/1.1 408 .*REQUEST_TIMEOUT/s);
    }
  });

  it('cancel their request when the client goes away', async () => {
    const { server, runner } = await start(specFor([image]), undefined, { wait: () => new Promise(() => {}) });
    const ends: string[] = [];
    runner.onRequestEnd((end) => ends.push(end.kind === 'dropped' ? end.reason : end.kind));
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(
      'POST /v1/pipelines/bench/run HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1\r\n\r\na',
    );
    await until(() => runner.inFlight === 1);
    socket.destroy();
    await until(() => runner.inFlight === 0);
    expect(ends).toEqual(['cancelled']);
  });
});
