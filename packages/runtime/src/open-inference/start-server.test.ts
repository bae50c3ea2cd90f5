import { AppError, stageId, type TensorMap } from '@equipoise/core/model';
import type { LaunchRequest } from '@equipoise/core/ports';
import { JSON_LENGTH_HEADER, writeInferRequest } from '@equipoise/open-inference-codec';
import { afterEach, describe, expect, it } from 'vitest';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { fp32, ScriptedRunner, serve } from '../data-plane/serving-bench.test-support.js';
import { tenantsOf } from './http-bench.test-support.js';
import {
  endServers,
  endsLater,
  INFER,
  image,
  RUN,
  specFor,
  start,
  tensorOf,
  until,
  x,
} from './server-bench.test-support.js';
import { StageTypes } from './stage-types.js';
import { mostOutboundBytes, startServer } from './start-server.js';

afterEach(endServers);

describe('a server with a token', () => {
  const request = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }] };

  it.each([
    [undefined, 401],
    ['Bearer wrong-one', 401],
    ['Basic secret', 401],
    ['secret', 401],
    ['Bearer secret', 200],
    ['bearer  secret', 200],
  ])('answers who shows %j with %i', async (authorization, status) => {
    const { json, send } = await start(specFor([]), (item) => item, { tenants: tenantsOf('secret') });
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const reply = await json(INFER, request, headers);
    expect(reply.status).toBe(status);
    if (status === 401) {
      expect(reply.headers['www-authenticate']).toBe('Bearer');
      expect(reply.body).toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(JSON.stringify(reply.body)).not.toMatch(/secret|wrong-one/);
    }
    expect((await send('/v2/models/bench', { headers })).status).toBe(status);
  });

  it('answers probes of health without it', async () => {
    const { send } = await start(specFor([]), (item) => item, { tenants: tenantsOf('secret') });
    const paths = ['/livez', '/readyz', '/v2/health/live', '/v2/health/ready'];
    expect(await Promise.all(paths.map(async (path) => (await send(path)).status))).toEqual([200, 200, 200, 200]);
  });
});

describe('the metadata of a stage', () => {
  it('have its variants and the tensors seen there', async () => {
    const stageTypes = new StageTypes();
    const spec = specFor([tensorOf('FP32', [-1])]);
    const launched = await stageTypes
      .watching({
        launch: async () => ({
          runner: new ScriptedRunner(
            (item) => item,
            async () => {},
          ),
          loadMs: 0,
        }),
      })
      .launch({ stage: spec.stages[0] } as LaunchRequest);
    const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
    serve(runner, 'a', launched.runner);
    const server = await startServer({
      runners: [runner],
      stageTypes: new Map([['bench', stageTypes]]),
      version: '1',
      port: 0,
    });
    endsLater(server);
    const metadata = async () => (await fetch(`${server.url}/v2/models/bench.a`)).json();
    const known = { name: 'bench.a', platform: 'equipoise', versions: ['v'] };
    expect(await metadata()).toEqual({ ...known, inputs: [], outputs: [] });
    for (const length of [2, 3]) {
      await runner.submit({ x: fp32([length], ...Array(length).fill(1)) });
    }
    const tensors = [{ name: 'x', datatype: 'FP32', shape: [-1] }];
    await expect.poll(metadata).toEqual({ ...known, inputs: tensors, outputs: tensors });
    expect((await fetch(`${server.url}/v2/models/bench.b`)).status).toBe(404);
    expect((await fetch(`${server.url}/v2/models/bench.a/ready`)).status).toBe(404);
  });
});

describe('the paths of the server', () => {
  it('name the running server with its readiness', async () => {
    const [first, second] = [await start(specFor([image])), await start(specFor([image]))];
    const instance = async ({ send }: typeof first) => (await send('/readyz')).headers['x-equipoise-instance'];
    expect(await instance(first)).toMatch(/^[0-9a-f-]{36}$/);
    expect(await instance(first)).toBe(await instance(first));
    expect(await instance(second)).not.toBe(await instance(first));
  });

  it('tell health and metadata', async () => {
    const { send } = await start(specFor([image]));
    const extensions = ['binary_tensor_data', 'model_configuration', 'statistics'];
    for (const [path, body] of [
      ['/livez', { live: true }],
      ['/readyz', { ready: true }],
      ['/v2', { name: 'equipoise', version: '9.9.9', extensions }],
      ['/v2/', { name: 'equipoise', version: '9.9.9', extensions }],
      ['/v2/health/live', { live: true }],
      ['/v2/health/ready', { ready: true }],
      ['/v2/models/bench/ready', { name: 'bench', ready: true }],
      [
        '/v2/models/bench',
        {
          name: 'bench',
          platform: 'equipoise',
          inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, -1] }],
          outputs: [],
        },
      ],
    ] as const) {
      expect(await send(path)).toMatchObject({ status: 200, body });
    }
    const head = await send('/v2', { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([200, '']);
  });

  it('are not ready while a stage has no replica', async () => {
    const { send } = await start(specFor([image]), undefined, { replicas: 0 });
    expect(await send('/readyz')).toMatchObject({ status: 503, body: { ready: false, notReady: ['bench'] } });
    expect(await send('/v2/models/bench/ready')).toMatchObject({ status: 503, body: { ready: false } });
    expect((await send('/livez')).status).toBe(200);
  });

  it('learn the types of the outputs', async () => {
    const { send, json } = await start(specFor([tensorOf('FP32', [-1, 2])]));
    for (const rows of [1, 3]) {
      expect((await json(RUN, { x: Array.from({ length: rows }, () => [1, 2]) })).status).toBe(200);
    }
    expect((await send('/v2/models/bench')).body.outputs).toEqual([
      { name: 'x', datatype: 'FP32', shape: [-1, -1, 2] },
    ]);
  });
});

it('the metadata have declared outputs before the first answer, and learned ones after it', async () => {
  const types = [{ name: 'x', datatype: 'FP32', shape: [-1] }] as const;
  const spec = specFor([tensorOf('FP32', [-1])], { outputs: [{ from: stageId('a'), types }] });
  const { send, json } = await start(spec, (item) => ({ ...item, z: fp32([], 7) }));
  const outputs = async () => (await send('/v2/models/bench')).body.outputs;
  const declared = { name: 'x', datatype: 'FP32', shape: [-1, -1] };
  expect(await outputs()).toEqual([declared]);
  expect((await json(INFER, x('FP32', [2], [1, 2]))).status).toBe(200);
  expect(await outputs()).toEqual([declared, { name: 'z', datatype: 'FP32', shape: [-1] }]);
});

describe('inference', () => {
  it('answers a v2 request with its id and the wanted outputs', async () => {
    const { json } = await start(specFor([tensorOf('FP32', [2])]), ({ x: tensor }) => ({
      y: tensor ?? fp32([]),
      z: fp32([], 7),
    }));
    const parameters = { timeout_ms: 300, timeout: 900_000, priority: 1 };
    const request = { ...x('FP32', [2], [1, 0.5]), id: 'mine', parameters };
    expect(await json(INFER, { ...request, outputs: [{ name: 'z' }] })).toMatchObject({
      status: 200,
      body: { model_name: 'bench', id: 'mine', outputs: [{ name: 'z', datatype: 'FP32', shape: [], data: [7] }] },
    });
    const all = await json(INFER, { ...request, id: undefined }, { 'x-request-id': 'trace-1' });
    expect(all.headers['x-request-id']).toBe('trace-1');
    expect(all.body.id).toBe('trace-1');
    expect(all.body.outputs[0]).toEqual({ name: 'y', datatype: 'FP32', shape: [2], data: [1, 0.5] });
  });

  it('makes a request id where the given one is missing or unfit', async () => {
    const { send } = await start(specFor([image]));
    for (const headers of [{}, { 'x-request-id': 'a b' }, { 'x-request-id': 'y'.repeat(129) }]) {
      expect((await send('/livez', { headers })).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('takes an image as it is, in a buffer of its own', async () => {
    const seen: TensorMap[] = [];
    const { send } = await start(specFor([image]), (item) => {
      seen.push(item);
      return { label: { datatype: 'BYTES', shape: [1], data: ['cat'] } };
    });
    const headers = { 'content-type': 'image/PNG; q=1', 'x-request-id': 'r1' };
    const reply = await send(RUN, { body: Uint8Array.of(1, 2, 255), headers });
    expect(reply).toMatchObject({
      status: 200,
      body: { id: 'r1', pipeline: 'bench', outputs: { label: ['cat'] }, latencyMs: expect.any(Number) },
    });
    expect(seen).toEqual([{ image: { datatype: 'UINT8', shape: [3], data: Uint8Array.of(1, 2, 255) } }]);
    expect((seen[0]?.['image']?.data as Uint8Array | undefined)?.buffer.byteLength).toBe(3);
  });

  it('takes text, nested JSON, and any bytes where no tensors are declared', async () => {
    const text = await start(specFor([tensorOf('BYTES', [1])]));
    const said = { body: 'grüße', headers: { 'content-type': 'text/plain; charset=utf-8' } };
    expect((await text.send(RUN, said)).body.outputs).toEqual({ x: ['grüße'] });
    const nested = await start(specFor([tensorOf('INT64', [-1, 2]), tensorOf('BOOL', [], 'flag')]));
    expect((await nested.json(RUN, { x: [[1, '9007199254740993']], flag: true })).body.outputs).toEqual({
      x: [[1, '9007199254740993']],
      flag: true,
    });
    const open = await start(specFor([]));
    expect((await open.send(RUN, { body: 'ab' })).body.outputs).toEqual({ input: [97, 98] });
    expect((await open.json(INFER, x('INT8', [1], [-1]))).body.outputs[0].data).toEqual([-1]);
  });
});

describe('a client batch', () => {
  /** Items 13 and 17 fail, 7 has a longer answer, 19 an answer with another long name; other values are doubled. */
  const script = ({ x: tensor = fp32([]) }: TensorMap): TensorMap | AppError => {
    const [value = 0] = tensor.data as Float32Array;
    if (value === 13) return new AppError('INVALID_INPUT', 'no luck');
    if (value === 17) return new AppError('STAGE_FAILED', 'no luck');
    if (value >= 19) return { [`${'y'.repeat(300)}${value}`]: fp32([1], value) };
    return { y: fp32([value === 7 ? 2 : 1], ...Array(value === 7 ? 2 : 1).fill(2 * value)) };
  };
  const spec = specFor([tensorOf('FP32', [2])], { admission: { maxQueueLength: 12 } });
  const rows = (...values: readonly number[]) =>
    x(
      'FP32',
      [values.length, 2],
      values.flatMap((value) => [value, 0]),
    );

  it('is answered in order, over JSON and raw, and counts each item', async () => {
    const { json, send, runner, server } = await start(spec, script);
    const outputs = [{ name: 'y', datatype: 'FP32', shape: [3, 1], data: [2, 4, 6] }];
    expect(await json(INFER, rows(1, 2, 3))).toMatchObject({ status: 200, body: { outputs } });
    expect((await json(INFER, rows(5))).body.outputs[0]).toMatchObject({ shape: [1, 1], data: [10] });
    expect((await json(INFER, x('FP32', [2], [5, 0]))).body.outputs[0]).toMatchObject({ shape: [1], data: [10] });
    const raw = writeInferRequest({ inputs: { x: fp32([2, 2], 1, 0, 2, 0) } }, true);
    const reply = await fetch(`${server.url}${INFER}`, {
      method: 'POST',
      body: Buffer.concat([Buffer.from(raw.json), ...raw.raw]),
      headers: { 'content-type': 'application/octet-stream', [JSON_LENGTH_HEADER]: String(raw.json.length) },
    });
    const bytes = new Uint8Array(await reply.arrayBuffer());
    const tensor = bytes.slice(Number(reply.headers.get(JSON_LENGTH_HEADER)));
    expect([...new Float32Array(tensor.buffer)]).toEqual([2, 4]);
    expect(runner.statistics.total).toMatchObject({ arrived: 7, completed: 7 });
    expect((await send('/v2/models/bench')).body).toMatchObject({
      inputs: [{ name: 'x', shape: [-1, 2] }],
      outputs: [{ name: 'y', shape: [-1, 1] }],
    });
  });

  it.each<[string, unknown, number, string, string | RegExp, object?]>([
    ['no items', x('FP32', [0, 2], []), 422, 'BATCH_SIZE_INVALID', /no items/],
    ['more items than half of a queue', rows(...Array(7).fill(1)), 422, 'BATCH_SIZE_INVALID', /7 items; at most 6/],
    ['items of another shape', x('FP32', [1, 3], [1, 2, 3]), 422, 'TENSOR_MISMATCH', /must have shape/],
    ['an item that fails', rows(1, 13), 422, 'INVALID_INPUT', 'Item 1 of 2 (counted from 0): no luck', { items: [1] }],
    ['items that fail', rows(13, 1, 13), 422, 'INVALID_INPUT', /^Items 0, 2 of 3/, { items: [0, 2] }],
    ['items that fail in two ways', rows(17, 13, 17), 500, 'STAGE_FAILED', /^Items 0, 2 of 3/, { items: [0, 2] }],
    ['only items that fail', rows(13, 13), 422, 'INVALID_INPUT', 'no luck', {}],
    [
      'answers of unequal shapes',
      rows(1, 7),
      422,
      'BATCH_OUTPUTS_DIFFER',
      /item 1 has y as FP32 \[2\], but the first as FP32 \[1\]/,
    ],
    ['answers of unequal names', rows(19, 20), 422, 'BATCH_OUTPUTS_DIFFER', /item 1 has no yyy/],
  ])('of %s is refused', async (_, request, status, code, error, details = expect.anything()) => {
    const { json } = await start(spec, script, { onStageFailure: () => {} });
    expect(await json(INFER, request)).toMatchObject({
      status,
      body: { code, error: typeof error === 'string' ? error : expect.stringMatching(error), details },
    });
  });

  it('is refused if its inputs can never fit into memory', async () => {
    const { json, runner } = await start({ ...spec, admission: { maxQueueLength: 6, maxInFlightBytes: 20 } }, script);
    const body = { code: 'BATCH_SIZE_INVALID', error: expect.stringMatching(/3 items; at most 2/) };
    expect(await json(INFER, rows(1, 2, 3))).toMatchObject({ status: 422, body });
    expect((await json(INFER, rows(1, 2))).status).toBe(200);
    expect(runner.statistics.total.arrived).toBe(2);
  });

  it('needs the same number of items in every input', async () => {
    const { json } = await start(specFor([tensorOf('FP32', [2]), tensorOf('INT8', [], 'n')]));
    const n = (shape: readonly number[], data: readonly number[]) => ({ name: 'n', datatype: 'INT8', shape, data });
    const inputs = (other: unknown) => ({ inputs: [...rows(1, 2).inputs, other] });
    expect((await json(INFER, inputs(n([2], [3, 4])))).status).toBe(200);
    const refusals = await Promise.all([n([3], [3, 4, 5]), n([], [3])].map((other) => json(INFER, inputs(other))));
    expect(refusals.map(({ body }) => body.error)).toEqual([
      expect.stringMatching(/^Tensor n: all inputs need the same number of items.* has 2, this one 3\.$/),
      expect.stringMatching(/this one none\.$/),
    ]);
  });

  it('tells the log of the stage that failed', async () => {
    const secret = new AppError('STAGE_FAILED', 'secret');
    const told: unknown[] = [];
    const options = { onStageFailure: ({ cause }: { readonly cause?: unknown }) => told.push(cause) };
    const fails = (item: TensorMap) => (item['x']?.data[0] === 13 ? secret : item);
    const { json } = await start(spec, fails, options);
    const body = { error: "Item 1 of 2 (counted from 0): Stage a failed; the server's log has the reason." };
    expect(await json(INFER, rows(1, 13))).toMatchObject({ status: 500, body });
    expect(told).toEqual([secret]);
  });

  it('takes a request of its limit for each item', async () => {
    const { json } = await start(spec, script, { tenants: tenantsOf('north secret rps=0.001 burst=6') });
    const ask = async (...values: readonly number[]) =>
      (await json(INFER, rows(...values), { authorization: 'Bearer secret' })).body;
    expect((await ask(1, 2, 3, 4, 5, 6, 7)).code).toBe('BATCH_SIZE_INVALID');
    expect((await ask(1, 2, 3)).code).toBeUndefined();
    const refused = await ask(1, 2, 3);
    expect(refused.code).toBe('RATE_LIMITED');
    // One token is left; at 1,000 s per token, three take 2,000 s.
    expect(refused.details.retryAfterMs / 1e6).toBeCloseTo(2, 0);
    expect((await ask(1)).code).toBeUndefined();
    expect((await ask(1)).code).toBe('RATE_LIMITED');
  });
});

describe('the extensions of Triton', () => {
  const text = tensorOf('BYTES', [1], 't');
  const spec = specFor([tensorOf('FP32', [-1, 2]), text], { admission: { maxQueueLength: 50 } });
  const input = (more: object, shape: readonly number[], data: readonly unknown[]) => ({ ...more, shape, data });
  const request = (rows: number, items = 1) => ({
    inputs: [
      input({ name: 'x', datatype: 'FP32' }, [items, rows, 2], Array(2 * rows * items).fill(0.5)),
      input({ name: 't', datatype: 'BYTES' }, [items, 1], Array(items).fill('a')),
    ],
  });

  it('give the configuration of a pipeline, without the dimension of a batch', async () => {
    const { send, json } = await start(spec);
    await json(INFER, request(3));
    const tensors = (rows: number) => [
      { name: 'x', data_type: 'TYPE_FP32', dims: [rows, 2] },
      { name: 't', data_type: 'TYPE_STRING', dims: [1] },
    ];
    const named = { name: 'bench', platform: 'equipoise', backend: 'equipoise', max_batch_size: 25 };
    const { body } = await send('/v2/models/bench/config');
    expect(body).toEqual({ ...named, input: tensors(-1), output: tensors(3) });
    expect((await send('/v2/models/bench.a/config')).body).toMatchObject({ code: 'NOT_FOUND' });
    const open = await start(specFor([]));
    expect((await open.send('/v2/models/bench/config')).body).toMatchObject({ max_batch_size: 0, input: [] });
  });

  it('count items of client batches, their losses, and the batches of stages', async () => {
    const fails = (item: TensorMap) => (item['x']?.shape[0] === 2 ? new AppError('INVALID_INPUT', 'two') : item);
    const { send, json, runner } = await start(spec, fails);
    await json(INFER, request(1, 2));
    runner.countAnew();
    expect((await send('/v2/models/stats')).body.model_stats).toMatchObject([
      { last_inference: 0, inference_count: 0 },
      { execution_count: 0, batch_stats: [] },
    ]);
    const fromMs = Date.now();
    for (const [rows, items] of [
      [1, 3],
      [2, 1],
    ] as const)
      await json(INFER, request(rows, items));
    const { model_stats: stats } = (await send('/v2/models/bench/stats')).body;
    expect(stats).toMatchObject([
      { name: 'bench', version: '', inference_count: 3, execution_count: 3, batch_stats: [] },
      { name: 'bench.a', inference_count: 3, execution_count: 4 },
    ]);
    expect(Math.abs(stats[0].last_inference - fromMs)).toBeLessThan(600_000);
    const { completedMs, lostMs } = runner.statistics.latencySums;
    expect(stats[0].inference_stats).toMatchObject({
      success: { count: 3, ns: Math.round(completedMs * 1e6) },
      fail: { count: 1, ns: Math.round(lostMs * 1e6) },
      queue: { count: 4 },
      compute_infer: { count: 4, ns: 4e6 },
      compute_output: { count: 0, ns: 0 },
    });
    expect(stats[1].inference_stats.fail).toEqual({ count: 1, ns: 0 });
    expect(stats[1].batch_stats).toMatchObject([{ batch_size: 1, compute_infer: { count: 4, ns: 4e6 } }]);
    expect((await send('/v2/models/bench.a/stats')).body.model_stats).toEqual([stats[1]]);
    expect((await send('/v2/models/bench.b/stats')).status).toBe(404);
  });

  it('list the pipelines, all or those that are ready', async () => {
    const { send, json } = await start(spec);
    const ready = { name: 'bench', version: '', state: 'READY', reason: '' };
    const index = async (value: unknown) => JSON.parse((await json('/v2/repository/index', value)).body);
    expect([await index({}), await index({ ready: true })]).toEqual([[ready], [ready]]);
    expect(JSON.parse((await send('/v2/repository/index', { method: 'POST' })).body)).toEqual([ready]);
    expect((await json('/v2/repository/index', { ready: 1 })).body).toMatchObject({ code: 'MALFORMED_REQUEST' });
    const huge = { ready: true, more: 'x'.repeat(65_536) };
    expect((await json('/v2/repository/index', huge)).body).toMatchObject({ code: 'BODY_TOO_LARGE' });
    const empty = await start(spec, undefined, { replicas: 0 });
    const reason = 'a stage has no replica in service';
    const all = JSON.parse((await empty.json('/v2/repository/index', {})).body);
    expect(all).toEqual([{ name: 'bench', version: '', state: 'UNAVAILABLE', reason }]);
    expect(JSON.parse((await empty.json('/v2/repository/index', { ready: true })).body)).toEqual([]);
  });
});

describe('raw tensors behind the JSON', () => {
  const echo = ({ x: tensor }: TensorMap): TensorMap => ({ x: tensor ?? fp32([]), y: fp32([1], 2) });

  async function sendRaw(headers: Readonly<Record<string, string>>, outputs: unknown) {
    const { server } = await start(specFor([tensorOf('FP32', [-1])]), echo);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } }];
    // A length that no number size divides.
    const json = JSON.stringify({ id: 'raw', inputs, ...(outputs as object) }).padEnd(301);
    const body = Buffer.concat([Buffer.from(json), Buffer.from(Float32Array.of(0.5, -1).buffer)]);
    const reply = await fetch(`${server.url}${INFER}`, {
      method: 'POST',
      body,
      headers: { [JSON_LENGTH_HEADER]: '301', ...headers },
    });
    const bytes = new Uint8Array(await reply.arrayBuffer());
    const jsonLength = Number(reply.headers.get(JSON_LENGTH_HEADER) ?? bytes.length);
    const answer = JSON.parse(new TextDecoder().decode(bytes.subarray(0, jsonLength)));
    return { status: reply.status, type: reply.headers.get('content-type'), answer, raw: bytes.slice(jsonLength) };
  }

  it('are answered in kind where that is asked for, all or one by one', async () => {
    const parameters = { parameters: { binary_data_output: true } };
    const all = await sendRaw({ 'content-type': 'application/octet-stream' }, parameters);
    expect(all).toMatchObject({ status: 200, type: 'application/octet-stream', answer: { id: 'raw' } });
    expect(all.answer.outputs).toEqual([
      { name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
      { name: 'y', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } },
    ]);
    expect([...new Float32Array(all.raw.buffer)]).toEqual([0.5, -1, 2]);
    const outputs = [{ name: 'y', parameters: { binary_data: true } }, { name: 'x' }];
    const some = await sendRaw({ 'content-type': 'application/json' }, { outputs });
    expect(some.answer.outputs[1]).toEqual({ name: 'x', datatype: 'FP32', shape: [2], data: [0.5, -1] });
    expect([...new Float32Array(some.raw.buffer)]).toEqual([2]);
  });

  it('are answered as JSON otherwise', async () => {
    const { type, answer, raw } = await sendRaw({ 'content-type': 'application/json' }, {});
    expect([type, raw.length]).toEqual(['application/json', 0]);
    expect(answer.outputs[0]).toEqual({ name: 'x', datatype: 'FP32', shape: [2], data: [0.5, -1] });
  });

  it('reach the stage as views of the body', async () => {
    const held: number[] = [];
    const { server } = await start(specFor([tensorOf('FP64', [-1])]), ({ x: tensor = fp32([]) }) => {
      held.push((tensor.data as Float64Array).buffer.byteLength);
      return { x: tensor };
    });
    const request = { inputs: { x: { datatype: 'FP64' as const, shape: [1], data: Float64Array.of(1) } } };
    const { json, raw } = writeInferRequest(request, true);
    for (const spaces of [0, 3]) {
      const head = Buffer.from(json + ' '.repeat(spaces));
      const reply = await fetch(`${server.url}${INFER}`, {
        method: 'POST',
        body: Buffer.concat([head, ...raw]),
        headers: { 'content-type': 'application/octet-stream', [JSON_LENGTH_HEADER]: String(head.length) },
      });
      expect(reply.status).toBe(200);
    }
    for (const bytes of held) expect(bytes).toBeGreaterThan(100);
  });
});

describe('closing', () => {
  it('lets running requests end, refuses new ones and cuts off what is left in the end', async () => {
    let release = () => {};
    const { server, runner, send } = await start(specFor([image]), undefined, {
      wait: () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    });
    const inside = send(RUN, { body: 'a', headers: { 'content-type': 'image/png' } });
    await until(() => runner.inFlight === 1);
    const closed = server.close();
    await expect.poll(() => send('/livez').catch(({ code }) => code)).toBe('ECONNREFUSED');
    release();
    expect(await inside).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
  });

  it('is bounded by a time', async () => {
    const { server, runner, send } = await start(specFor([image]), undefined, { wait: () => new Promise(() => {}) });
    const inside = send(RUN, { body: 'a', headers: { 'content-type': 'image/png' } });
    await until(() => runner.inFlight === 1);
    await Promise.all([server.close({ timeoutMs: 50 }), expect(inside).rejects.toMatchObject({ code: 'ECONNRESET' })]);
  });

  it('frees the port, which until then is in use', async () => {
    const { server } = await start(specFor([image]));
    const port = Number(new URL(server.url).port);
    const again = () => startServer({ runners: [], version: '1', port });
    await expect(again()).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await expect(startServer({ runners: [], version: '1', port: 70_000 })).rejects.toMatchObject({
      code: 'WRONG_USAGE',
    });
    await server.close();
    endsLater(await again());
  });
});

it.each([
  ['small bodies leave room for large answers', 64 * 1024, 256 * 1024 ** 2],
  ['large bodies leave room for as many answers as large', 32 * 1024 ** 2, 512 * 1024 ** 2],
])('%s', (_, maxBodyBytes, most) => {
  expect(mostOutboundBytes(maxBodyBytes)).toBe(most);
});
