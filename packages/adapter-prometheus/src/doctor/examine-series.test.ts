/** The doctor in front of servers whose answers have the form of Prometheus, but no figures. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { PrometheusApi } from '../api/prometheus-api.js';
import { examineSeries } from './examine-series.js';

it.each(['NaN', '+Inf', '-Inf', '1e300', 'soon'])('calls a server whose time is %s no Prometheus', async (time) => {
  const server = createServer((_, answer) => {
    answer.end(
      JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [1, time] }] } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = new PrometheusApi({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  try {
    const findings = await examineSeries(api, {
      pipeline: { name: 'shelf', namespace: 'shop', sources: ['equipoise'], router: 'shelf', workloads: [] },
      pods: [],
      scrapeIntervalMs: 5000,
      percentile: 99,
      nowEpochMs: Date.now,
      pause: () => Promise.resolve(),
    });
    expect(findings).toMatchObject([{ check: 'prometheus-unreachable', severity: 'error' }]);
    expect(findings[0]?.message).toContain('is no Prometheus');
  } finally {
    api.close();
    server.close();
  }
});
