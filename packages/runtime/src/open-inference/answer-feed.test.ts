import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:http2';
import { AppError, stageId, type TensorMap } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { edge, ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { AnswerFeed, answerText } from './answer-feed.js';
import { overTls, tenantsOf } from './http-bench.test-support.js';
import { endServers, RUN, specFor, start, tensorOf } from './server-bench.test-support.js';

const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await endServers();
});

const PATH = '/v1/pipelines/bench/answers';
const spec = specFor([tensorOf('FP32', [1])]);

/** A stage that refuses negative numbers. */
const rejects = (item: TensorMap) =>
  Number(item['x']?.data[0]) < 0 ? new AppError('INVALID_INPUT', 'The number is negative.') : item;

type Event = { readonly kind: string; readonly data: Readonly<Record<string, unknown>> };

/** Events of a stream, each awaited. */
function eventsOf(stream: NodeJS.ReadableStream) {
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return async (count: number): Promise<Event[]> => {
    const pattern = /^event: (\w+)\ndata: (.*)\n\n/gm;
    for (;;) {
      const found = [...text.matchAll(pattern)];
      if (found.length >= count)
        return found.map(([, kind = '', data = '']) => ({ kind, data: JSON.parse(data) as Event['data'] }));
      await new Promise((resolve) => stream.once('data', resolve));
    }
  };
}

async function listen(url: string, headers: Record<string, string> = {}, path = PATH) {
  const asked = request(`${url}${path}`, { headers, agent: false });
  asked.on('error', () => {});
  asked.end();
  ends.push(() => asked.destroy());
  const response = await new Promise<IncomingMessage>((resolve) => asked.once('response', resolve));
  const ended = new Promise((resolve) => response.once('end', resolve));
  return { response, read: eventsOf(response), ended, stop: () => asked.destroy() };
}

describe('GET /v1/pipelines/{pipeline}/answers', () => {
  it('streams answers and failures by id', async () => {
    const { json, server } = await start(spec, rejects);
    const client = await listen(server.url);
    expect(client.response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    await json(RUN, { x: [1] }, { 'x-request-id': 'one' });
    await json(RUN, { x: [-1] }, { 'x-request-id': 'two' });
    expect(await client.read(2)).toMatchObject([
      { kind: 'answer', data: { id: 'one', pipeline: 'bench', outputs: { x: [1] } } },
      { kind: 'failure', data: { id: 'two', pipeline: 'bench', status: 422, code: 'INVALID_INPUT' } },
    ]);
  });

  it('has one event for a request of several sources, and one for each part that stays alone', async () => {
    const number = (name: string) => ({ name, datatype: 'FP32' as const, shape: [1], contentTypes: [] });
    const { json, send, runner, server } = await start(
      servingSpec(['a', 'b', 'both'], {
        sources: [
          { name: 'left', to: [stageId('a')], tensors: [number('l')] },
          { name: 'right', to: [stageId('b')], tensors: [number('r')] },
        ],
        sourceJoin: { maxWaitMs: 60_000, maxWaiting: 10 },
        edges: [edge('a', 'both'), edge('b', 'both')],
      }),
    );
    for (const stage of ['b', 'both'])
      serve(
        runner,
        stage,
        new ScriptedRunner(
          (item) => item,
          async () => {},
        ),
      );
    const client = await listen(server.url);
    const part = (source: string, id: string, body: object) =>
      json(`/v1/pipelines/bench.${source}/run`, body, { 'x-request-id': id });
    await Promise.all([part('left', 'q', { l: [1] }), part('right', 'q', { r: [2] })]);
    await part('left', 'q', { l: [1] });
    expect(await client.read(2)).toMatchObject([
      { kind: 'answer', data: { id: 'q', pipeline: 'bench', outputs: { l: [1], r: [2] } } },
      { kind: 'failure', data: { id: 'q', code: 'PART_DUPLICATE', status: 409 } },
    ]);
    expect(await send('/v1/pipelines/bench.left/answers')).toMatchObject({ status: 404 });
  });

  it('tells a tenant only its own answers', async () => {
    const { json, server } = await start(spec, rejects, { tenants: tenantsOf('north n-1', 'south s-1') });
    const [north, south] = [{ authorization: 'Bearer n-1' }, { authorization: 'Bearer s-1' }];
    const [client, other] = [await listen(server.url, north), await listen(server.url, south)];
    await json(RUN, { x: [1] }, { ...north, 'x-request-id': 'ours' });
    await json(RUN, { x: [2] }, { ...south, 'x-request-id': 'theirs' });
    expect((await client.read(1)).map(({ data }) => data['id'])).toEqual(['ours']);
    expect((await other.read(1)).map(({ data }) => data['id'])).toEqual(['theirs']);
    const { response } = await listen(server.url);
    expect(response.statusCode).toBe(401);
  });

  it('is refused to more clients of a tenant than may listen, and ends with the server', async () => {
    const { server } = await start(spec, rejects);
    const clients = await Promise.all(Array.from({ length: 16 }, () => listen(server.url)));
    expect((await listen(server.url)).response.statusCode).toBe(429);
    const closed = server.close({ timeoutMs: 100 });
    await Promise.all(clients.map(({ ended }) => ended));
    await closed;
  });

  it('is also served over HTTP/2, and HEAD ends at once', async () => {
    const { server } = await start(spec, rejects, overTls);
    const session = connect(server.url, { ca: overTls.tls.current.cert });
    session.on('error', () => {});
    ends.push(() => session.destroy());
    const stream = session.request({ ':path': PATH });
    const read = eventsOf(stream);
    await new Promise((resolve) => stream.once('response', resolve));
    const head = session.request({ ':path': PATH, ':method': 'HEAD' });
    head.resume();
    await new Promise((resolve) => head.once('end', resolve));
    const sent = session.request({
      ':path': RUN,
      ':method': 'POST',
      'content-type': 'application/json',
      'x-request-id': 'h2',
    });
    sent.end('{"x":[1]}');
    expect(await read(1)).toMatchObject([{ kind: 'answer', data: { id: 'h2' } }]);
  });
});

describe('AnswerFeed', () => {
  const place = { pipeline: 'p', tenant: undefined };
  const run = { output: {}, missing: undefined, latencyMs: 1 };

  it('disconnects a client that falls behind, and forgets one that goes away', () => {
    const feed = new AnswerFeed();
    const written: string[] = [];
    let isDestroyed = false;
    let gone = () => {};
    const answer = feed.listen(place);
    answer.stream?.({
      get unsentBytes() {
        return written.reduce((sum, { length }) => sum + length, 0);
      },
      write: (text) => written.push(text),
      end: () => {},
      destroy: () => {
        isDestroyed = true;
        gone();
      },
      onClose: (listener) => {
        gone = listener;
      },
    });
    const missing = ['x'.repeat(100_000)];
    for (let each = 0; each < 20; each++) feed.completed({ id: 'a', ...place }, {}, { ...run, missing });
    expect(isDestroyed).toBe(true);
    expect(written.length).toBeLessThan(15);
  });

  it('leaves out large outputs', () => {
    const output = { x: { datatype: 'UINT8', shape: [70_000], data: new Uint8Array(70_000) } } as const;
    expect(JSON.parse(answerText({ id: 'a', pipeline: 'p' }, { ...run, output }))).toEqual({
      id: 'a',
      pipeline: 'p',
      omittedBytes: 70_000,
      latencyMs: 1,
    });
  });
});
