import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { type SourceTensor, stageId } from '@equipoise/core/model';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PipelineRunner } from '../../data-plane/pipeline-runner.js';
import { ScriptedRunner, serve, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { type RunningServer, startServer } from '../start-server.js';

/** Allowed statuses for any request; 5xx would be a server fault. */
const expected = new Set([200, 400, 404, 405, 408, 413, 415, 422]);
const MAX_BODY_BYTES = 4096;

const tensors: readonly SourceTensor[] = [
  { name: 'x', datatype: 'INT8', shape: [-1, 2], contentTypes: [] },
  { name: 's', datatype: 'BYTES', shape: [-1], contentTypes: [] },
];

let server: RunningServer;
const defects: unknown[] = [];
const strays: unknown[] = [];
const onStray = (error: unknown) => strays.push(error);

beforeAll(async () => {
  process.on('unhandledRejection', onStray);
  process.on('uncaughtException', onStray);
  const spec = servingSpec(['a'], { sources: [{ name: 'input', to: [stageId('a')], tensors }] });
  const image: readonly SourceTensor[] = [
    { name: 'image', datatype: 'UINT8', shape: [-1], contentTypes: ['image/png'] },
  ];
  const other = servingSpec(['a'], { name: 'raw', sources: [{ name: 'input', to: [stageId('a')], tensors: image }] });
  const runners = [spec, other].map((each) => {
    const runner = new PipelineRunner({ spec: each, hostCores: Number.POSITIVE_INFINITY });
    serve(
      runner,
      'a',
      new ScriptedRunner(
        (item) => item,
        async () => {},
      ),
    );
    return runner;
  });
  const onDefect = (error: unknown) => defects.push(error);
  server = await startServer({
    runners,
    version: '1',
    port: 0,
    maxBodyBytes: MAX_BODY_BYTES,
    requestTimeoutMs: 300,
    onDefect,
  });
});

afterAll(async () => {
  await server.close({ timeoutMs: 200 });
  process.off('unhandledRejection', onStray);
  process.off('uncaughtException', onStray);
});

const INFER = '/v2/models/bench/infer';
const good = {
  inputs: [
    { name: 'x', datatype: 'INT8', shape: [1, 2], data: [1, 2] },
    { name: 's', datatype: 'BYTES', shape: [1], data: ['a'] },
  ],
};

interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** Sends a request; returns its status, undefined if the server closed the connection. */
function shoot({ method, path, headers, body }: Shot): Promise<number | undefined> {
  return new Promise((resolve) => {
    const sent = httpRequest(`${server.url}`, { method, path, headers, agent: false }, (reply) => {
      reply.resume();
      reply.on('end', () => resolve(reply.statusCode));
      reply.on('error', () => resolve(undefined));
    });
    sent.on('error', () => resolve(undefined));
    sent.end(body);
  });
}

async function stillServes(): Promise<void> {
  const body = JSON.stringify(good);
  expect(await shoot({ method: 'POST', path: INFER, headers: { 'content-type': 'application/json' }, body })).toBe(200);
  expect([defects, strays]).toEqual([[], []]);
}

const word = fc.constantFrom('x', 's', 'inputs', 'data', 'shape', 'INT8', '__proto__', 'constructor', 'toString', '');
const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  word,
  fc.integer(),
  fc.double(),
  fc.constant(2 ** 53),
);
/** The valid request with one part replaced or removed. */
const nearlyGood = fc
  .tuple(fc.nat(), fc.option(fc.oneof(value, fc.array(fc.nat(300), { maxLength: 4 }))))
  .map(([at, by]) => {
    let place = 0;
    const changed = (_: string, part: unknown) => {
      place += 1;
      return place === 1 + (at % 22) ? (by ?? undefined) : part;
    };
    return JSON.stringify(good, changed) ?? '';
  });
const body = fc.oneof(
  nearlyGood,
  fc.dictionary(word, value).map((document) => JSON.stringify(document)),
  fc.tuple(fc.json(), fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1))),
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom('['.repeat(4000), '{"inputs":'.repeat(300), new Uint8Array(MAX_BODY_BYTES + 1), ''),
);
const path = fc.oneof(
  fc.constantFrom(
    INFER,
    '/v1/pipelines/bench/run',
    '/v1/pipelines/raw/run',
    '/v2/models/raw/infer',
    '/livez',
    '/v2/models/%E0%A4%A',
  ),
  fc
    .array(fc.constantFrom('/', 'v1', 'v2', 'models', '..', '%00', '%', '?', 'bench', '//', '__proto__', '#', '='), {
      maxLength: 8,
    })
    .map((parts) => `/${parts.join('')}`),
  fc
    .tuple(fc.constantFrom('timeout_ms', 'priority'), fc.constantFrom('1', '-1', 'NaN', '1e400', '', '%zz'))
    .map(([name, text]) => `/v1/pipelines/raw/run?${name}=${text}`),
);
const headers = fc.dictionary(
  fc.constantFrom(
    'content-type',
    'x-request-id',
    'content-encoding',
    'accept',
    'traceparent',
    'expect',
    'inference-header-content-length',
  ),
  fc.oneof(
    fc.constantFrom(
      'application/json',
      'image/png',
      'text/plain; charset=x',
      '*/*',
      ';',
      'gzip',
      '100-continue',
      'x'.repeat(5000),
    ),
    fc.stringMatching(/^[\x21-\x7e]{0,30}$/),
  ),
);
const method = fc.constantFrom('POST', 'POST', 'POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH');

const aimed = fc.record({
  method: fc.constant('POST'),
  path: fc.constantFrom(INFER, INFER, '/v1/pipelines/bench/run', '/v1/pipelines/raw/run'),
  headers: fc.constantFrom('application/json', 'image/png').map((type) => ({ 'content-type': type })),
  body,
});
/** A body with raw tensors; its header, sizes and bytes may be wrong. */
const raw = fc
  .record({
    size: fc.oneof(fc.nat(40), fc.constantFrom(-1, 0.5, 1e300, '4', null, [])),
    shape: fc.array(fc.oneof(fc.nat(5), fc.constantFrom(-1, 2 ** 52)), { maxLength: 3 }),
    datatype: fc.constantFrom('INT8', 'FP64', 'BYTES', 'BOOL', 'BF16'),
    name: fc.constantFrom('x', 's', 'image', 'x'),
    lie: fc.constantFrom(0, 0, 0, 1, -1, 4000),
    bytes: fc.uint8Array({ maxLength: 60 }),
    wanted: fc.constantFrom(true, false, 1),
  })
  .map(({ size, shape, datatype, name, lie, bytes, wanted }) => {
    const inputs = [{ name, datatype, shape, parameters: { binary_data_size: size } }];
    const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: wanted } }));
    return {
      method: 'POST',
      path: INFER,
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': `${json.length + lie}`,
      },
      body: Buffer.concat([json, bytes]),
    };
  });
const wild = fc.record({ method, path, headers, body });

it('answers whatever request with a 4xx or 200, and serves on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(aimed, raw, wild), async (shot) => {
      const sendsBody = !['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(shot.method);
      const status = await shoot({ ...shot, body: sendsBody ? shot.body : undefined });
      expect(status === undefined || expected.has(status) ? 'fine' : status).toBe('fine');
    }),
    { seed: 1, numRuns: 600, endOnFailure: true },
  );
  await stillServes();
});

it('answers or closes on whatever bytes, and serves on', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((random) => Buffer.from(random).toString('latin1')),
    fc
      .tuple(
        fc.constantFrom(
          'GET / HTTP/1.1',
          `POST ${INFER} HTTP/1.1`,
          'POST * HTTP/1.1',
          'CONNECT a:1 HTTP/1.1',
          'GET /livez HTTP/1.0',
          'PRI * HTTP/2.0',
        ),
        fc.array(
          fc.constantFrom(
            'host: x',
            'content-length: 3',
            'content-length: 99999999999999999999',
            'content-length: -1',
            'transfer-encoding: chunked',
            'transfer-encoding: gzip',
            'connection: upgrade',
            'upgrade: websocket',
            'expect: 100-continue',
            'expect: tea',
            ': x',
            'a\0b: c',
            'x-request-id: a\tb',
          ),
          { maxLength: 5 },
        ),
        fc.constantFrom(
          '',
          'abc',
          '3\r\nabc\r\n0\r\n\r\n',
          'zz\r\n',
          'ffffffffffffffff\r\nx',
          '\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n',
        ),
      )
      .map(([line, lines, rest]) => `${[line, ...lines].join('\r\n')}\r\n\r\n${rest}`),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (text) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      socket.end(text, 'latin1');
      await once(socket, 'close');
    }),
    { seed: 2, numRuns: 300, endOnFailure: true },
  );
  await stillServes();
});
