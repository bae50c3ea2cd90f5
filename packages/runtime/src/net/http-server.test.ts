import { once } from 'node:events';
import { constants } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { fp32 } from '../data-plane/serving-bench.test-support.js';
import {
  ask,
  HttpBench,
  INFER_PATH,
  inferBody,
  inferHeaders,
  overTls,
} from '../open-inference/http-bench.test-support.js';

const bench = new HttpBench();

afterEach(() => bench.end());

const post = { method: 'POST', body: inferBody, headers: { 'content-type': 'application/json' } };
const never = () => new Promise<void>(() => {});

describe('HTTP/2', () => {
  it('is answered over TLS', async () => {
    const { server } = await bench.start(overTls);
    const { reply } = ask(bench.session(server), { ...inferHeaders, 'x-request-id': 'seven' }, inferBody);
    expect(await reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'x-request-id': 'seven' },
    });
    expect(JSON.parse((await reply).text)).toMatchObject({ id: 'seven', outputs: [{ name: 'x', data: [1] }] });
  });

  it.each(['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nnonsense'])(
    'is refused without TLS: %j',
    async (preface) => {
      const { server } = await bench.start();
      const socket = bench.socket(server);
      socket.write(preface);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1.1 400 .*MALFORMED_REQUEST/s);
      expect((await fetch(`${server.url}${INFER_PATH}`, post)).status).toBe(200);
    },
  );

  it('carries many requests at a time over one connection', async () => {
    const { server } = await bench.start(overTls);
    const session = bench.session(server);
    const replies = Array.from({ length: 100 }, () => ask(session, inferHeaders, inferBody).reply);
    expect(new Set((await Promise.all(replies)).map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('carries large tensors both ways', async () => {
    const { server } = await bench.start(overTls);
    const data = Array.from({ length: 300_000 }, (_, i) => i % 7);
    const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [data.length], data }] });
    const { text } = await ask(bench.session(server), inferHeaders, body).reply;
    expect(JSON.parse(text).outputs[0].data).toEqual(data);
  });

  it('refuses a body over the limit and goes on', async () => {
    const { server } = await bench.start({ ...overTls, maxBodyBytes: 1000 });
    const session = bench.session(server);
    for (const headers of [inferHeaders, { ...inferHeaders, 'content-length': 5000 }]) {
      const { reply } = ask(session, headers, 'x'.repeat(5000));
      expect(await reply).toMatchObject({ status: 413, text: expect.stringContaining('BODY_TOO_LARGE') });
    }
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
  });

  it('refuses a body as soon as it is over the limit, and the connection goes on', async () => {
    const { server } = await bench.start({ ...overTls, maxBodyBytes: 1000 });
    const session = bench.session(server);
    const { stream, reply } = ask(session, inferHeaders);
    stream.write('x'.repeat(2000));
    expect((await reply).status).toBe(413);
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
  });

  it('times out when a body comes too slowly', async () => {
    const { server } = await bench.start({ ...overTls, requestTimeoutMs: 100 });
    const { stream, reply } = ask(bench.session(server), inferHeaders);
    stream.write(inferBody.slice(0, 5));
    expect(await reply).toMatchObject({ status: 408, text: expect.stringContaining('REQUEST_TIMEOUT') });
  });

  it('asks for the body of a client that waits for a go-ahead', async () => {
    const { server } = await bench.start(overTls);
    const { stream, reply } = ask(bench.session(server), { ...inferHeaders, expect: '100-continue' });
    await once(stream, 'continue');
    stream.end(inferBody);
    expect((await reply).status).toBe(200);
  });

  it.each(['its stream', 'its connection'])('cancels a request whose client ends %s', async (what) => {
    const { server, runner } = await bench.start({ ...overTls, wait: never });
    const session = bench.session(server);
    const { stream, reply } = ask(session, inferHeaders, inferBody);
    reply.catch(() => {});
    await expect.poll(() => runner.inFlight).toBe(1);
    if (what === 'its stream') stream.close(constants.NGHTTP2_CANCEL);
    else session.destroy();
    await expect.poll(() => runner.inFlight).toBe(0);
    expect(runner.statistics.total.dropped.cancelled).toBe(1);
  });
});

it.each(['plain', 'größer', '大きい'])('an answer whose text has the letters of %s arrives as UTF-8', async (id) => {
  const { server } = await bench.start();
  const body = JSON.stringify({ id, ...JSON.parse(inferBody) });
  const answer = await fetch(`${server.url}${INFER_PATH}`, { ...post, body });
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(JSON.parse(bytes.toString())).toMatchObject({ id, outputs: [{ name: 'x', data: [1] }] });
  expect(Number(answer.headers.get('content-length'))).toBe(bytes.length);
});

describe('closing', () => {
  it('lets streams end and takes no new ones', async () => {
    let release = () => {};
    const wait = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    const { server, runner } = await bench.start({ ...overTls, wait });
    const session = bench.session(server);
    const { reply } = ask(session, inferHeaders, inferBody);
    await expect.poll(() => runner.inFlight).toBe(1);
    const away = once(session, 'goaway');
    const closed = server.close();
    await away;
    release();
    expect((await reply).status).toBe(200);
    await closed;
  });

  it('cuts off streams that do not end, and connections that say nothing', async () => {
    const { server, runner } = await bench.start({ ...overTls, wait: never });
    const silent = bench.socket(server);
    await once(silent, 'connect');
    const { reply } = ask(bench.session(server), inferHeaders, inferBody);
    reply.catch(() => {});
    await expect.poll(() => runner.inFlight).toBe(1);
    await Promise.all([once(silent, 'close'), server.close({ timeoutMs: 50 })]);
    await expect.poll(() => runner.inFlight).toBe(0);
  });
});

describe('a server that starts', () => {
  it('answers probes, is not ready, and takes requests once it serves', async () => {
    const { server, runner } = await bench.start({ starting: true, holdLimits: { mostRequests: 0 } });
    const status = async (path: string) => (await fetch(`${server.url}${path}`)).status;
    const infer = async () => {
      const reply = await fetch(`${server.url}${INFER_PATH}`, post);
      return { status: reply.status, retryAfter: reply.headers.get('retry-after'), body: await reply.json() };
    };
    expect([await status('/livez'), await status('/readyz'), await status('/v2/models/bench/ready')]).toEqual([
      200, 503, 503,
    ]);
    expect(await infer()).toMatchObject({
      ...{ status: 503, retryAfter: '1' },
      body: { reason: 'no-ready-replica', details: { retryAfterMs: 1000 } },
    });
    for (const path of ['/v2/models/other/infer', '/v1/pipelines/other/run']) {
      expect((await fetch(`${server.url}${path}`, post)).status).toBe(404);
    }
    expect(runner.statistics.total).toMatchObject({ arrived: 1, dropped: { 'no-ready-replica': 1 } });
    await runner.submit({ x: fp32([1], 1) });
    await server.beginServing();
    expect([await status('/readyz'), (await infer()).status]).toEqual([200, 200]);
  });

  it('holds its first requests until it serves, without being ready', async () => {
    const { server, runner } = await bench.start({ starting: true });
    const replies = Array.from({ length: 5 }, () => fetch(`${server.url}${INFER_PATH}`, post));
    const ready = () => fetch(`${server.url}/readyz`);
    await expect.poll(() => server.heldRequests).toBe(5);
    expect([(await ready()).status, runner.statistics.total.arrived]).toEqual([503, 0]);
    server.beginServing();
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await ready()).status).toBe(200);
  });

  it('counts the hold in the time-out that a client states', async () => {
    const { server, runner } = await bench.start({ starting: true });
    const body = JSON.stringify({ ...JSON.parse(inferBody), parameters: { timeout_ms: 1 } });
    const reply = fetch(`${server.url}${INFER_PATH}`, { ...post, body });
    await expect.poll(() => server.heldRequests).toBe(1);
    const heldUntilMs = performance.now() + 2;
    await expect.poll(() => performance.now()).toBeGreaterThan(heldUntilMs);
    server.beginServing();
    expect((await reply).status).toBe(504);
    const dropped = { 'deadline-passed': 1 };
    expect(runner.statistics.total).toMatchObject({ arrived: 1, completed: 0, dropped });
  });

  it('refuses held requests if it closes before it serves', async () => {
    const { server, runner } = await bench.start({ starting: true });
    const reply = fetch(`${server.url}${INFER_PATH}`, post);
    await expect.poll(() => server.heldRequests).toBe(1);
    await server.close();
    expect(await (await reply).json()).toMatchObject({ code: 'DROPPED', reason: 'draining' });
    expect(runner.statistics.total).toMatchObject({ arrived: 1, dropped: { draining: 1 } });
  });
});
