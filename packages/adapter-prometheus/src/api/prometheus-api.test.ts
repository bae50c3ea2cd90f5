import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { failureOf } from './http-answer.js';
import { PrometheusApi, type PrometheusOptions } from './prometheus-api.js';
import { durationMs } from './server-state.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Handler = (request: IncomingMessage & { readonly body: string }, response: ServerResponse) => void;

async function apiTo(handler: Handler, options: Partial<PrometheusOptions> = {}, path = ''): Promise<PrometheusApi> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    handler(Object.assign(request, { body }), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api = new PrometheusApi({ url: `http://127.0.0.1:${port}${path}`, ...options });
  closers.push(() => {
    api.close();
    server.closeAllConnections();
    server.close();
  });
  return api;
}

const success =
  (data: unknown): Handler =>
  (_, response) =>
    response.end(JSON.stringify({ status: 'success', data }));
const vector = (result: unknown): Handler => success({ resultType: 'vector', result });

async function failure(api: PrometheusApi): Promise<string | undefined> {
  return api.query('up').then(
    () => 'none',
    (error: unknown) => failureOf(error),
  );
}

describe('the query API', () => {
  it('tells what the server answered before it hung or broke off', async () => {
    const begins: Handler = (_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{');
    };
    const hanging = await apiTo(begins, { timeoutMs: 200 });
    await expect(hanging.query('up')).rejects.toThrow(/answered 200, but not to the end, within 200 ms/);
    const breaking = await apiTo((request, response) => {
      begins(request, response);
      setTimeout(() => response.destroy(), 20);
    });
    await expect(breaking.query('up')).rejects.toThrow(/answered 200, but broke off: /);
    const closing = await apiTo(({ socket }) => socket.destroy());
    await expect(closing.query('up')).rejects.toThrow(/closed the connection without an answer/);
    const redirecting = await apiTo((_, response) => {
      response.writeHead(302, { location: `http://elsewhere/${'x'.repeat(9000)}` }).end();
    });
    const error: unknown = await redirecting.query('up').catch((cause: unknown) => cause);
    expect((error as Error).message.length).toBeLessThan(2500);
  });

  it('tells a server that does not speak HTTP from one that cannot be reached', async () => {
    const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const api = new PrometheusApi({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    closers.push(() => api.close());
    await expect(api.query('up')).rejects.toThrow(/does not speak HTTP/);
    expect(await failure(api)).toBe('not-prometheus');
  });

  it('asks by a form below the path of the address, with the token', async () => {
    const seen: unknown[] = [];
    const api = await apiTo(
      ({ url, method, headers, body }, response) => {
        seen.push({
          url,
          method,
          authorization: headers.authorization,
          ...Object.fromEntries(new URLSearchParams(body)),
        });
        vector([{ metric: { a: 'b' }, value: [1, '2.5'] }])({} as never, response);
      },
      { token: async () => 'secret' },
      '/prefix/api/v1/',
    );
    expect(await api.query('up', 1_700_000_000_500)).toEqual([{ labels: { a: 'b' }, value: 2.5 }]);
    expect(seen).toEqual([
      {
        ...{ url: '/prefix/api/v1/query', method: 'POST', authorization: 'Bearer secret' },
        ...{ query: 'up', time: '1700000000.500', partial_response: 'false', deny_partial_response: '1' },
      },
    ]);
  });

  it('reads numbers that JSON lacks', async () => {
    const api = await apiTo(vector(['NaN', '+Inf', '-Inf'].map((text) => ({ metric: {}, value: [1, text] }))));
    expect((await api.query('x')).map(({ value }) => value)).toEqual([Number.NaN, Infinity, -Infinity]);
  });

  it.each([null, '', ' ', [], {}, true])('reads %j as no number, not as 0', async (value) => {
    const api = await apiTo(vector([{ metric: {}, value: [1, value] }]));
    expect((await api.query('x')).map((sample) => sample.value)).toEqual([Number.NaN]);
  });

  it('reads ranges, and refuses those that Prometheus would refuse', async () => {
    const api = await apiTo(
      success({
        resultType: 'matrix',
        result: [
          {
            metric: {},
            values: [
              [1, '2'],
              [3, '4'],
            ],
          },
        ],
      }),
    );
    const window = { fromEpochMs: 0, toEpochMs: 60_000, stepMs: 1_000 };
    expect(await api.queryRange('x', window)).toEqual([
      {
        labels: {},
        points: [
          { atEpochMs: 1_000, value: 2 },
          { atEpochMs: 3_000, value: 4 },
        ],
      },
    ]);
    await expect(api.queryRange('x', { ...window, stepMs: 1 })).rejects.toThrow('choose a longer step');
    await expect(api.queryRange('x', { ...window, stepMs: 0 })).rejects.toThrow('choose a longer step');
  });

  it('reads targets and rules', async () => {
    const active = {
      ...{ health: 'down', labels: { job: 'j' }, discoveredLabels: {}, scrapePool: 'j', scrapeUrl: 'http://a' },
      ...{ lastError: 'refused', lastScrape: '2026-01-05T08:00:00Z', scrapeInterval: '1m30s' },
    };
    const targets = await apiTo(
      success({ activeTargets: [active], droppedTargets: [{ discoveredLabels: { job: 'd' } }] }),
    );
    expect(await targets.targets()).toMatchObject([
      {
        state: 'down',
        job: 'j',
        lastError: 'refused',
        lastScrapeAtEpochMs: Date.UTC(2026, 0, 5, 8),
        scrapeIntervalMs: 90_000,
      },
      { state: 'dropped', job: 'd' },
    ]);
    const rules = await apiTo(
      success({ groups: [{ name: 'g', rules: [{ name: 'r', type: 'recording', lastError: 'e' }] }] }),
    );
    expect(await rules.rules()).toEqual([{ group: 'g', name: 'r', kind: 'recording', lastError: 'e' }]);
  });

  it.each<[string, Handler]>([
    ['unauthenticated', (_, response) => response.writeHead(401).end('no')],
    ['forbidden', (_, response) => response.writeHead(403).end('no')],
    ['redirected', (_, response) => response.writeHead(302, { location: 'https://login.example' }).end()],
    ['unavailable', (_, response) => response.writeHead(503).end('Service Unavailable')],
    [
      'unavailable',
      (_, response) => response.writeHead(503).end('{"status":"error","errorType":"timeout","error":"timed out"}'),
    ],
    ['not-prometheus', (_, response) => response.end('<html>')],
    ['not-prometheus', (_, response) => response.end('[1]')],
    ['not-prometheus', vector('text')],
    ['not-prometheus', vector([null])],
    ['not-prometheus', vector([{ value: [1, '1'] }])],
    ['not-prometheus', vector([{ metric: {}, values: {} }])],
    [
      'refused',
      (_, response) => response.writeHead(400).end('{"status":"error","errorType":"bad_data","error":"parse"}'),
    ],
    [
      'refused',
      (_, response) => response.end('{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}'),
    ],
    ['too-large', (_, response) => response.end(`{"status":"success","data":"${'x'.repeat(5_000)}"}`)],
    ['too-large', vector(Array.from({ length: 4 }, () => ({ metric: {}, value: [1, '1'] })))],
    ['timeout', () => {}],
    ['connection', (request) => request.socket.destroy()],
  ])('fails as %s', async (kind, handler) => {
    const limits = { timeoutMs: kind === 'timeout' ? 50 : 30_000, maxAnswerBytes: 4_000, maxSeries: 3 };
    expect(await failure(await apiTo(handler, limits))).toBe(kind);
  });

  it('bounds what a server says of a query, because it reaches the status of a pipeline', async () => {
    const error = 'x'.repeat(1_000_000);
    const api = await apiTo((_, response) => response.writeHead(422).end(JSON.stringify({ status: 'error', error })));
    const cause: unknown = await api.query('up').catch((each: unknown) => each);
    expect((cause as Error).message.length).toBeLessThanOrEqual(2_000);
  });

  it('fails as connection where nothing listens', async () => {
    expect(await failure(new PrometheusApi({ url: 'http://127.0.0.1:9' }))).toBe('connection');
  });

  it.each(['prometheus:9090', 'ftp://a', 'http://a:b@c', 'http://a?x=1', 'nothing'])(
    'refuses the address %s',
    (url) => {
      expect(() => new PrometheusApi({ url })).toThrow(/the address of Prometheus .*expected one such as http:/);
    },
  );

  it.each([
    ['15s', 15_000],
    ['1h2m3s4ms', 3_723_004],
    ['', undefined],
    ['5', undefined],
  ])('reads the duration %s', (text, ms) => expect(durationMs(text)).toBe(ms));
});
