import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import {
  AppError,
  type Datatype,
  type LaunchRequest,
  type PipelineSpec,
  type SourceTensor,
  type StageId,
  stageId,
  type TensorMap,
} from '@equipoise/core';
import { JSON_LENGTH_HEADER, writeInferRequest } from '@equipoise/open-inference-codec';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { fp32, type ItemScript, ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { tenantsOf } from './http-bench.test-support.js';
import { StageTypes } from './stage-types.js';
import { type RunningServer, type ServerOptions, startServer } from './start-server.js';

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers has no type yet
  readonly body: any;
}

interface Send {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const running: RunningServer[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close({ timeoutMs: 100 })));
});

const image: SourceTensor = {
  name: 'image',
  datatype: 'UINT8',
  shape: [-1],
  contentTypes: ['image/png', 'image/jpeg'],
};
const tensorOf = (datatype: Datatype, shape: readonly number[], name = 'x'): SourceTensor => ({
  name,
  datatype,
  shape,
  contentTypes: [],
});

function specFor(tensors: readonly SourceTensor[], more: Partial<PipelineSpec> = {}): PipelineSpec {
  return servingSpec(['a'], { sources: [{ name: 'input', to: [stageId('a')], tensors }], ...more });
}

/** A server with one pipeline `bench` of a single stage, whose replica answers at once unless `wait` says otherwise. */
async function start(
  spec: PipelineSpec,
  script: ItemScript = (item) => item,
  more: Partial<ServerOptions> & { wait?: () => Promise<void>; replicas?: number } = {},
) {
  const { wait = async () => {}, replicas = 1, ...options } = more;
  const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
  for (let i = 0; i < replicas; i++) {
    serve(runner, 'a', Object.assign(new ScriptedRunner(script, wait), { keepsTensors: true }));
  }
  const server = await startServer({ runners: [runner], version: '9.9.9', port: 0, ...options });
  running.push(server);
  const send = (path: string, { method, headers = {}, body }: Send = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const sent = httpRequest(
        `${server.url}${path}`,
        { method: method ?? (body === undefined ? 'GET' : 'POST'), headers },
        async (reply) => {
          let text = '';
          for await (const chunk of reply) text += chunk;
          const value = text.startsWith('{') ? JSON.parse(text) : text;
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: value });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  const json = (path: string, value: unknown, headers: Readonly<Record<string, string>> = {}) =>
    send(path, { body: JSON.stringify(value), headers: { 'content-type': 'application/json', ...headers } });
  return { runner, server, send, json };
}

const INFER = '/v2/models/bench/infer';
const RUN = '/v1/pipelines/bench/run';
const x = (datatype: Datatype, shape: readonly number[], data: unknown) => ({
  inputs: [{ name: 'x', datatype, shape, data }],
});

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
    running.push(server);
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
  it('tell health and metadata', async () => {
    const { send } = await start(specFor([image]));
    for (const [path, body] of [
      ['/livez', { live: true }],
      ['/readyz', { ready: true }],
      ['/v2', { name: 'equipoise', version: '9.9.9', extensions: ['binary_tensor_data'] }],
      ['/v2/', { name: 'equipoise', version: '9.9.9', extensions: ['binary_tensor_data'] }],
      ['/v2/health/live', { live: true }],
      ['/v2/health/ready', { ready: true }],
      ['/v2/models/bench/ready', { name: 'bench', ready: true }],
      [
        '/v2/models/bench',
        {
          name: 'bench',
          platform: 'equipoise',
          inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1] }],
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
    expect((await send('/v2/models/bench')).body.outputs).toEqual([{ name: 'x', datatype: 'FP32', shape: [-1, 2] }]);
  });
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

describe('refusals', () => {
  const vector = specFor([tensorOf('UINT8', [-1, 2])]);
  const good = x('UINT8', [1, 2], [1, 2]);
  const withField = (field: string, value: unknown) => ({ inputs: [{ ...good.inputs[0], [field]: value }] });

  it.each<[string, number, string, Send & { path?: string; json?: unknown }]>([
    ['a path that is none', 404, 'NOT_FOUND', { path: '/v3' }],
    ['a path with a broken escape', 400, 'MALFORMED_REQUEST', { path: '/v2/models/%zz' }],
    ['an unknown pipeline', 404, 'NOT_FOUND', { path: '/v2/models/other/infer', json: good }],
    ['another method', 405, 'METHOD_NOT_ALLOWED', { path: INFER, method: 'GET' }],
    ['no body', 400, 'MALFORMED_REQUEST', { body: '' }],
    ['a body that is no JSON', 400, 'MALFORMED_REQUEST', { body: '{"inputs": [}' }],
    ['a JSON array', 400, 'MALFORMED_REQUEST', { json: [] }],
    ['no inputs', 400, 'MALFORMED_REQUEST', { json: {} }],
    ['inputs that are no objects', 400, 'MALFORMED_REQUEST', { json: { inputs: [1] } }],
    ['an input without a name', 400, 'MALFORMED_REQUEST', { json: { inputs: [{}] } }],
    ['an input twice', 400, 'MALFORMED_REQUEST', { json: { inputs: [good.inputs[0], good.inputs[0]] } }],
    ['an id that is no string', 400, 'MALFORMED_REQUEST', { json: { ...good, id: 7 } }],
    ['parameters that are no object', 400, 'MALFORMED_REQUEST', { json: { ...good, parameters: [] } }],
    ['a time-out of 0', 400, 'MALFORMED_REQUEST', { json: { ...good, parameters: { timeout_ms: 0 } } }],
    ['a time-out that vanishes', 400, 'MALFORMED_REQUEST', { json: { ...good, parameters: { timeout: 5e-324 } } }],
    ['a priority that is no integer', 400, 'MALFORMED_REQUEST', { json: { ...good, parameters: { priority: 1.5 } } }],
    ['outputs that are no list', 400, 'MALFORMED_REQUEST', { json: { ...good, outputs: {} } }],
    ['an output that does not exist', 422, 'TENSOR_MISMATCH', { json: { ...good, outputs: [{ name: 'y' }] } }],
    ['a missing input', 422, 'TENSOR_MISMATCH', { json: { inputs: [] } }],
    ['an unknown input', 422, 'TENSOR_MISMATCH', { json: withField('name', 'y') }],
    ['another data type', 422, 'TENSOR_MISMATCH', { json: withField('datatype', 'FP32') }],
    ['no data type', 422, 'TENSOR_MISMATCH', { json: withField('datatype', 'toString') }],
    ['another rank', 422, 'TENSOR_MISMATCH', { json: withField('shape', [2]) }],
    ['another size', 422, 'TENSOR_MISMATCH', { json: withField('shape', [1, 3]) }],
    ['a negative size', 422, 'TENSOR_MISMATCH', { json: withField('shape', [-1, 2]) }],
    ['a shape of text', 422, 'TENSOR_MISMATCH', { json: withField('shape', 'x') }],
    ['too few elements', 422, 'TENSOR_MISMATCH', { json: withField('data', [1]) }],
    ['a shape of more elements than memory', 422, 'TENSOR_MISMATCH', { json: withField('shape', [2 ** 50, 2]) }],
    ['rows of unequal length', 422, 'TENSOR_MISMATCH', { json: withField('data', [[1, 2, 3]]) }],
    ['data nested too deep', 422, 'TENSOR_MISMATCH', { json: withField('data', [[[1], 2]]) }],
    ['data that are no array', 422, 'TENSOR_MISMATCH', { json: withField('data', 'AQI=') }],
    ['300 as UINT8', 422, 'TENSOR_MISMATCH', { json: withField('data', [1, 300]) }],
    ['1.5 as UINT8', 422, 'TENSOR_MISMATCH', { json: withField('data', [1, 1.5]) }],
    [
      'a media type that is not JSON',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { body: '{}', headers: { 'content-type': 'text/xml' } },
    ],
    ['an encoded body', 415, 'UNSUPPORTED_MEDIA_TYPE', { body: '{}', headers: { 'content-encoding': 'gzip' } }],
    [
      'raw tensors without the header',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { body: '{}', headers: { 'content-type': 'application/octet-stream' } },
    ],
    ['a header beyond the body', 400, 'MALFORMED_REQUEST', { json: good, headers: { [JSON_LENGTH_HEADER]: '9999' } }],
    ['a header that is no length', 400, 'MALFORMED_REQUEST', { json: good, headers: { [JSON_LENGTH_HEADER]: 'x' } }],
    [
      'a raw tensor longer than the body',
      400,
      'MALFORMED_REQUEST',
      { json: { inputs: [{ name: 'x', datatype: 'UINT8', shape: [1, 2], parameters: { binary_data_size: 2 } }] } },
    ],
    ['a raw body for a tensor that has none', 415, 'UNSUPPORTED_MEDIA_TYPE', { path: RUN, body: 'x' }],
    ['a plain body of other tensors', 422, 'TENSOR_MISMATCH', { path: RUN, json: { y: 1 } }],
    ['a plain body without its tensor', 422, 'TENSOR_MISMATCH', { path: RUN, json: {} }],
    ['a plain body of another rank', 422, 'TENSOR_MISMATCH', { path: RUN, json: { x: [1, 2] } }],
    ['a plain body with rows of unequal length', 422, 'TENSOR_MISMATCH', { path: RUN, json: { x: [[1, 2], [3]] } }],
    ['a plain body that is a list', 400, 'MALFORMED_REQUEST', { path: RUN, json: [1] }],
    ['a time-out of text', 400, 'MALFORMED_REQUEST', { path: `${RUN}?timeout_ms=soon`, json: { x: [[1, 2]] } }],
  ])('%s: %d %s', async (_, status, code, { path = INFER, json: value, headers = {}, ...send }) => {
    const server = await start(vector);
    const body = value === undefined ? send.body : JSON.stringify(value);
    const type: Record<string, string> =
      body === undefined
        ? {}
        : { 'content-type': path === RUN && value === undefined ? 'image/png' : 'application/json' };
    const reply = await server.send(path, {
      ...send,
      ...(body !== undefined && { body }),
      headers: { ...type, ...headers },
    });
    expect(reply).toMatchObject({
      status,
      body: {
        error: expect.any(String),
        code,
        details: expect.any(Object),
        docs: `docs/reference/errors.md#${code.toLowerCase()}`,
      },
    });
    expect((await server.json(INFER, good)).status).toBe(200);
  });

  it('tell what would have been right', async () => {
    const { send, json } = await start(vector);
    expect((await send('/v2/models/other')).body.error).toContain('served: bench');
    expect((await send(INFER)).headers.allow).toBe('POST');
    expect((await send('/v2', { method: 'DELETE' })).headers.allow).toBe('GET, HEAD');
    expect((await send(INFER, { body: '{"a" 1}' })).body.details).toEqual({ offset: 5, line: 1, column: 6 });
    expect((await json(INFER, withField('data', [1, 1234]))).body.error).toBe(
      'Tensor x: element 1 (counted in row-major order from 0) is not of type UINT8: an integer from 0 to 255.',
    );
    const pictures = await start(specFor([image]));
    const wrongType = await pictures.send(RUN, { body: 'x', headers: { 'content-type': 'image/gif' } });
    expect(wrongType.body.details.contentTypes).toEqual(['image/png', 'image/jpeg', 'application/json']);
  });

  it('pass on what a stage says of an input as 422, bounded', async () => {
    const says = (message: string) => start(vector, () => new AppError('INVALID_INPUT', message));
    const [short, long] = [await says('Told by the stage.'), await says('x'.repeat(100_000))];
    const body = { error: 'Told by the stage.', code: 'INVALID_INPUT' };
    expect(await short.json(INFER, good)).toMatchObject({ status: 422, body });
    expect((await long.json(INFER, good)).body.error).toBe(`${'x'.repeat(1999)}…`);
  });

  it.each([
    ['STAGE_FAILED', 500, 'Stage a failed'],
    ['REPLICA_LOST', 503, 'Stage a lost a replica'],
  ] as const)('tell %s of a stage as %d without its words, which go to the log', async (code, status, what) => {
    const secret = new AppError(code, 'secret', { details: { path: 'secret' } });
    const told: unknown[] = [];
    const { json } = await start(vector, () => secret, { onStageFailure: ({ cause }) => told.push(cause) });
    const reply = await json(INFER, good);
    const body = { error: `${what}; the server's log has the reason.`, code, details: { stage: 'a' } };
    expect(reply).toMatchObject({ status, body });
    expect(JSON.stringify(reply.body)).not.toContain('secret');
    expect(told).toEqual([secret]);
  });

  it('tell the words of a stage in a bounded process warning unless told otherwise, and survive a log that throws', async () => {
    const stage = () => new AppError('STAGE_FAILED', 'x'.repeat(100_000));
    const warned: Error[] = [];
    const note = (warning: Error) => warned.push(warning);
    process.on('warning', note);
    const byDefault = await start(vector, stage);
    const broken = await start(vector, stage, {
      onStageFailure: () => {
        throw new Error('log');
      },
    });
    expect([(await byDefault.json(INFER, good)).status, (await broken.json(INFER, good)).status]).toEqual([500, 500]);
    process.off('warning', note);
    const [first, second] = warned.map(({ message }) => message);
    expect(first).toBe(`Stage a: ${'x'.repeat(1990)}…`);
    expect(second).toBe('log');
  });

  it('quote names that are too long by their beginning', async () => {
    const { json } = await start(specFor([]));
    const name = 'n'.repeat(100_000);
    const tensor = { name, datatype: 'UINT8', shape: [1], data: [300] };
    const quoted = `${'n'.repeat(199)}…`;
    const reply = await json(INFER, { inputs: [tensor] });
    expect(reply.body).toMatchObject({ code: 'TENSOR_MISMATCH', details: { tensor: quoted } });
    expect(reply.body.error).toMatch(new RegExp(`^Tensor ${quoted}: element 0`));
    const twice = await json(INFER, { inputs: [1, 2].map(() => ({ ...tensor, data: [3] })) });
    expect(twice.body.error).toBe(`The input ${quoted} stands there twice.`);
    const other = await json(INFER, { inputs: [{ ...tensor, data: [3] }], outputs: [{ name: 'y' }] });
    expect(other.body.details).toEqual({ outputs: [quoted] });
  });

  it('tell a defect of the server as 500 without its message', async () => {
    const defects: unknown[] = [];
    const { json, runner } = await start(vector, undefined, { onDefect: (error) => defects.push(error) });
    Object.defineProperty(runner, 'submit', { value: () => Promise.reject(new Error('secret')) });
    const reply = await json(INFER, good);
    expect([reply.status, reply.body.code, JSON.stringify(reply.body).includes('secret')]).toEqual([
      500,
      'INTERNAL_ERROR',
      false,
    ]);
    expect(defects).toHaveLength(1);
  });

  it('answer dropped requests with 503, Retry-After and the reason, and a passed deadline with 504', async () => {
    const patient = specFor([tensorOf('UINT8', [-1, 2])], { admission: { maxQueueLength: 1 } });
    const { json, send, runner } = await start(patient, undefined, { wait: () => new Promise(() => {}) });
    void json(INFER, good).catch(() => {});
    await until(() => runner.inFlight === 1);
    const late = json(INFER, { ...good, parameters: { timeout_ms: 80 } });
    await until(() => runner.inFlight === 2);
    const full = await json(INFER, good);
    expect(full).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { code: 'DROPPED', reason: 'queue-full' },
    });
    expect(await late).toMatchObject({ status: 504, body: { code: 'DEADLINE_PASSED', reason: 'deadline-passed' } });
    const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, expectedServiceMs: [0, 500], remainingMs: 0 };
    runner.setPolicy('a' as StageId, policy);
    expect(
      (await send(`${RUN}?timeout_ms=100`, { body: '{"x":[[1,2]]}', headers: { 'content-type': 'application/json' } }))
        .body,
    ).toMatchObject({
      code: 'DROPPED',
      reason: 'deadline-unreachable',
    });
    runner.beginDraining();
    expect((await json(INFER, good)).body.reason).toBe('draining');
  });
});

describe('raw tensors behind the JSON', () => {
  const echo = ({ x: tensor }: TensorMap): TensorMap => ({ x: tensor ?? fp32([]), y: fp32([1], 2) });

  async function sendRaw(headers: Readonly<Record<string, string>>, outputs: unknown) {
    const { server } = await start(specFor([tensorOf('FP32', [-1])]), echo);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } }];
    // A length that is no multiple of the size of a number.
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

  it('reach the stage as views of the body', async ({ task, skip }) => {
    skip(task.file.name.includes('/front/'), 'on their way from a front tensors get memory of their own');
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

describe('bodies over the limit', () => {
  const bytes = specFor([image]);
  const headers = { 'content-type': 'image/png' };

  it('are refused by their stated length before they are read, and the connection goes on', async () => {
    const { send } = await start(bytes, undefined, { maxBodyBytes: 1000 });
    expect(await send(RUN, { body: new Uint8Array(1001), headers })).toMatchObject({
      status: 413,
      body: { code: 'BODY_TOO_LARGE', details: { maxBodyBytes: 1000 } },
    });
    expect((await send(RUN, { body: new Uint8Array(1000), headers })).status).toBe(200);
  });

  it('are refused while they stream in without a stated length', async () => {
    const { server, send } = await start(bytes, undefined, { maxBodyBytes: 1000 });
    const reply = await overRawSocket(server, [
      'POST /v1/pipelines/bench/run HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n',
      ...Array.from({ length: 3 }, () => `1f4\r\n${'x'.repeat(500)}\r\n`),
    ]);
    expect(reply).toMatch(/^HTTP\/1.1 413 /);
    expect((await send('/livez')).status).toBe(200);
  });

  it('are cut off when they go on after the refusal', async () => {
    const { server } = await start(bytes, undefined, { maxBodyBytes: 1000 });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write(`POST ${RUN} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 999999999\r\n\r\n`);
    const drip = setInterval(() => socket.write('x'.repeat(1000)), 20);
    // Not `once` of node:events: it rejects on the reset that a client gets who writes on.
    await new Promise((resolve) => socket.on('close', resolve));
    clearInterval(drip);
    expect(text).toMatch(/^HTTP\/1.1 413 /);
  });

  it('are refused when those whose ends are held back take too much memory together, and until they are gone', async () => {
    const { server, send } = await start(bytes, undefined, { maxBodyBytes: 1000 });
    const head = `POST ${RUN} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n`;
    const holding = Array.from({ length: 16 }, () => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      socket.on('error', () => {}).write(head + 'x'.repeat(999));
      return socket;
    });
    const ask = () => send(RUN, { body: new Uint8Array(500), headers });
    const refused = { status: 503, headers: { 'retry-after': '1' }, body: { reason: 'memory-full' } };
    await vi.waitFor(async () => expect(await ask()).toMatchObject(refused), { timeout: 10_000 });
    for (const socket of holding) socket.destroy();
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), { timeout: 10_000 });
  });

  it('are not even asked for when the client waits for a go-ahead', async () => {
    const { server } = await start(bytes, undefined, { maxBodyBytes: 1000 });
    const ask = (length: number) =>
      `POST /v1/pipelines/bench/run HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;
    expect(await overRawSocket(server, [ask(1001)])).toMatch(/^HTTP\/1.1 413 .*connection: close/is);
    expect(await overRawSocket(server, [ask(3), 'abc'])).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
  });
});

describe('connections', () => {
  it.each([
    ['bytes that are no HTTP', ['\x16\x03\x01 hello\r\n\r\n'], 400],
    ['a length that lies', ['POST /v2 HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n'], 400],
    ['headers beyond all measure', [`GET / HTTP/1.1\r\nhost: x\r\na: ${'y'.repeat(20_000)}\r\n\r\n`], 400],
    ['two lengths', ['POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'], 400],
  ])('get an answer to %s', async (_, parts, status) => {
    const { server, send } = await start(specFor([image]));
    const reply = await overRawSocket(server, parts);
    expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(reply).toContain('"code":"MALFORMED_REQUEST"');
    expect((await send('/livez')).status).toBe(200);
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
    running.push(await again());
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Writes bytes as they are and reads until the server closes or has answered and falls silent. */
async function overRawSocket(server: RunningServer, parts: readonly string[]): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (/\r\n\r\n\{.*\}$/s.test(text)) socket.end();
  });
  for (const part of parts) socket.write(part, 'latin1');
  await once(socket, 'close');
  return text;
}
