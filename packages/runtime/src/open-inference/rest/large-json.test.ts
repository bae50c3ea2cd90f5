import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask, HttpBench, inferHeaders, overTls } from '../http-bench.test-support.js';
import { endServers, INFER, RUN, specFor, start, tensorOf, x } from '../server-bench.test-support.js';

const bench = new HttpBench();
const threads: Worker[] = [];
const started = (thread: Worker) => threads.push(thread);
beforeAll(() => {
  process.on('worker', started);
});
afterAll(() => {
  process.off('worker', started);
});
afterEach(async () => {
  threads.length = 0;
  await endServers();
  await bench.end();
});

/** Above the size that is decoded in a thread: numbers of a few digits. */
const COUNT = 80_000;
const numbers = Array.from({ length: COUNT }, (_, i) => i % 1000);

describe('large JSON', () => {
  it.each([
    ['FP32', numbers],
    ['BYTES', numbers.map(String)],
  ] as const)('is decoded in a thread, one for all: %s', async (datatype, data) => {
    const { json } = await start(specFor([tensorOf(datatype, [-1])]));
    expect((await json(INFER, x(datatype, [3], data.slice(0, 3)))).body.outputs[0].data).toEqual(data.slice(0, 3));
    expect(threads.length).toBe(0);
    for (let i = 0; i < 2; i++) {
      expect((await json(INFER, x(datatype, [COUNT], data))).body.outputs[0].data).toEqual(data);
      expect((await json(RUN, { x: data })).body.outputs.x).toEqual(data);
    }
    expect(threads.length).toBe(1);
  });

  it('keeps 64-bit integers exact', async () => {
    const { server } = await start(specFor([tensorOf('INT64', [-1])]));
    const data = `[${numbers.join(',')},9223372036854775807]`;
    const body = `{"inputs":[{"name":"x","datatype":"INT64","shape":[${COUNT + 1}],"data":${data}}]}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}${INFER}`, { method: 'POST', body, headers });
    expect(await answer.text()).toContain(',9223372036854775807]');
    expect(threads.length).toBe(1);
  });

  it.each([
    ['no JSON', `{"inputs":[${numbers.join(',')}`, 400, 'MALFORMED_REQUEST'],
    ['too many objects', `{"inputs":[${'{},'.repeat(270_000)}1]}`, 413, 'BODY_TOO_LARGE'],
    ['another shape', JSON.stringify(x('FP32', [1], numbers)), 422, 'TENSOR_MISMATCH'],
  ])('is refused as small JSON is: %s', async (_, body, status, code) => {
    const { send, json } = await start(specFor([tensorOf('FP32', [-1])]));
    const refused = await send(INFER, { body, headers: { 'content-type': 'application/json' } });
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect((await json(INFER, x('FP32', [COUNT], numbers))).status).toBe(200);
  });

  it('is answered for all streams of a connection, within the memory of bodies', async () => {
    const { server } = await bench.start({ ...overTls, maxInboundBytes: 3_000_000 });
    const session = bench.session(server);
    const body = JSON.stringify(x('FP32', [COUNT], numbers));
    const replies = Array.from({ length: 4 }, () => ask(session, inferHeaders, body).reply);
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(threads.length).toBe(1);
  });
});
