import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { PrometheusApi } from '../api/prometheus-api.js';
import type { WatchedPipeline } from '../series/watched-pipeline.js';
import { readFigures } from './read-figures.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const pipeline: WatchedPipeline = {
  ...{ name: 'shelf', namespace: 'team', router: 'shelf', sources: ['equipoise', 'cadvisor'] },
  workloads: [{ stage: 'detect', variant: 'small', name: 'shelf--detect--small' }],
};

/** Requests to a server that answers all of them so, and the problems of the figures. */
async function readFrom(status: number, text: string) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume();
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = new PrometheusApi({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  closers.push(() => {
    api.close();
    server.closeAllConnections();
    server.close();
  });
  const { queries } = await readFigures(api, pipeline, { scrapeIntervalMs: 5_000, percentile: 99 });
  return { requests, kinds: [...new Set(queries.map(({ problem }) => problem?.kind))], queries: queries.length };
}

it('asks a server that is overloaded once', async () => {
  const timedOut = '{"status":"error","errorType":"timeout","error":"query timed out"}';
  expect(await readFrom(503, timedOut)).toMatchObject({ requests: 1, kinds: ['unknown'] });
});

it('asks a server that refuses the whole request for each part', async () => {
  const { requests, queries } = await readFrom(422, '{"status":"error","errorType":"execution","error":"too many"}');
  expect(requests).toBeGreaterThan(queries);
});
