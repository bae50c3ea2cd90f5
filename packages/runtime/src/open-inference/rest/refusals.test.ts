/** Refusals of invalid, too large and too many requests. */
import { connect } from 'node:net';
import { AppError, type StageId } from '@equipoise/core/model';
import { JSON_LENGTH_HEADER } from '@equipoise/open-inference-codec';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  endServers,
  INFER,
  image,
  overRawSocket,
  RUN,
  type Send,
  specFor,
  start,
  tensorOf,
  until,
  x,
} from '../server-bench.test-support.js';

afterEach(endServers);

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

  it('names the content type that it found and those that it takes', async () => {
    const server = await start(vector);
    const reply = await server.send(RUN, { body: 'x', headers: { 'content-type': 'text/html' } });
    const error = 'Found the content type text/html; send one of application/json.';
    expect(reply).toMatchObject({ status: 415, body: { error } });
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
    expect((await json(INFER, withField('name', 'y'))).body.error).toBe('There is no input y; the inputs are x.');
    expect((await json(RUN, { y: 1 })).body.error).toBe('There is no tensor y; the tensors are x.');
    const outputs = [{ name: 'y' }];
    expect((await json(INFER, { ...good, outputs })).body.error).toMatch(/^There is no output y; the outputs are /);
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
    expect(twice.body.error).toBe(`The input ${quoted} appears twice.`);
    const other = await json(INFER, { inputs: [{ ...tensor, data: [3] }], outputs: [{ name: 'y' }] });
    expect(other.body.details).toEqual({ outputs: [quoted] });
    const vectors = await start(vector);
    const unknown = await vectors.json(INFER, withField('name', name));
    expect(unknown.body.error).toBe(`There is no input ${quoted}; the inputs are x.`);
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
    expect(await json(INFER, { ...good, parameters: { timeout_ms: 80 } })).toMatchObject({
      status: 504,
      body: { code: 'DEADLINE_PASSED', reason: 'deadline-passed' },
    });
    const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 };
    runner.setPolicy('a' as StageId, { ...policy, expectedServiceMs: [0, 900_000] });
    expect(
      (
        await send(`${RUN}?timeout_ms=30000`, {
          body: '{"x":[[1,2]]}',
          headers: { 'content-type': 'application/json' },
        })
      ).body,
    ).toMatchObject({
      code: 'DROPPED',
      reason: 'deadline-unreachable',
    });
    runner.setPolicy('a' as StageId, { ...policy, expectedServiceMs: [0, 1] });
    void json(INFER, good).catch(() => {});
    await until(() => runner.inFlight === 2);
    expect(await json(INFER, good)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { code: 'DROPPED', reason: 'queue-full' },
    });
    runner.beginDraining();
    expect((await json(INFER, good)).body.reason).toBe('draining');
  });
});

describe('JSON over its own limit', () => {
  const limit = 200;
  const vector = specFor([tensorOf('UINT8', [-1, 2])]);
  const text = JSON.stringify(x('UINT8', [1, 2], [1, 2]));
  const padded = (length: number) => text + ' '.repeat(length - text.length);
  const binary = (length: number) => ({
    body: padded(length),
    headers: { 'content-type': 'application/octet-stream', [JSON_LENGTH_HEADER]: String(length) },
  });
  const json = { 'content-type': 'application/json' };

  it.each<[string, string, (length: number) => Send]>([
    ['of an inference request', INFER, (length) => ({ body: padded(length), headers: json })],
    ['before raw tensors', INFER, binary],
    ['of the plain endpoint', RUN, (length) => ({ body: `{"x":[[1,2]]}${' '.repeat(length - 13)}`, headers: json })],
  ])('is refused: %s', async (_, path, send) => {
    const bench = await start(vector, undefined, { maxJsonBytes: limit });
    expect(await bench.send(path, send(limit + 1))).toMatchObject({
      status: 413,
      body: { code: 'BODY_TOO_LARGE', details: { maxJsonBytes: limit } },
    });
    expect((await bench.send(path, send(limit))).status).toBe(200);
  });

  it('is refused, too, if it would take long to parse', async () => {
    const { send } = await start(vector);
    const body = `{"inputs":[],"x":[${'{},'.repeat(300_000)}0]}`;
    expect(await send(INFER, { body, headers: json })).toMatchObject({
      status: 413,
      body: { code: 'BODY_TOO_LARGE', details: { limit: 'objects and arrays' } },
    });
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

  it('are refused if they are compressed below their chunks', async () => {
    const { server } = await start(bytes);
    const head = `POST ${RUN} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\nconnection: close\r\n`;
    const reply = await overRawSocket(server, [`${head}transfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`]);
    expect(reply).toMatch(/^HTTP\/1.1 415 .*UNSUPPORTED_MEDIA_TYPE/s);
    const whole = await overRawSocket(server, [`${head}transfer-encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`]);
    expect(whole).toMatch(/^HTTP\/1.1 200 /);
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
    // `once` of node:events would reject on the reset that a writing client gets.
    await new Promise((resolve) => socket.on('close', resolve));
    clearInterval(drip);
    expect(text).toMatch(/^HTTP\/1.1 413 /);
  });

  it('are refused when those whose ends are held back take too much memory together, and until they are gone', async () => {
    const { server, send } = await start(bytes, undefined, { maxBodyBytes: 1000, maxInboundBytes: 4000 });
    const head = `POST ${RUN} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n`;
    const holding = Array.from({ length: 16 }, () => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      socket.on('error', () => {}).write(head + 'x'.repeat(999));
      return socket;
    });
    const ask = () => send(RUN, { body: new Uint8Array(500), headers });
    const refused = { status: 503, headers: { 'retry-after': '1' }, body: { reason: 'memory-full' } };
    await vi.waitFor(async () => expect(await ask()).toMatchObject(refused), { timeout: 30_000 });
    // A body whose stated length does not fit is not even asked for.
    const waiting = head.replace('content-length', 'expect: 100-continue\r\ncontent-length');
    expect(await overRawSocket(server, [waiting])).toMatch(/^HTTP\/1.1 503 .*connection: close/is);
    for (const socket of holding) socket.destroy();
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), { timeout: 30_000 });
  });

  it('are not even asked for when the client waits for a go-ahead', async () => {
    const { server } = await start(bytes, undefined, { maxBodyBytes: 1000 });
    const ask = (length: number) =>
      `POST /v1/pipelines/bench/run HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;
    expect(await overRawSocket(server, [ask(1001)])).toMatch(/^HTTP\/1.1 413 .*connection: close/is);
    expect(await overRawSocket(server, [ask(3), 'abc'])).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
  });
});
