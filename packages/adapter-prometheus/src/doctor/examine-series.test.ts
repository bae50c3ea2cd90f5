/** The doctor in front of servers whose answers have the form of Prometheus, but no figures. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { PrometheusApi } from '../api/prometheus-api.js';
import { examineSeries } from './examine-series.js';

/** Findings about a server that answers the queries that `answerTo` gives a value, and has none for the others. */
async function findingsOf(
  answerTo: (query: string) => string | undefined,
  time: () => string = () => String(Date.now() / 1000),
) {
  const server = createServer((request, answer) => {
    let form = '';
    request.on('data', (chunk: Uint8Array) => {
      form += chunk.toString();
    });
    request.on('end', () => {
      const query = new URLSearchParams(form).get('query') ?? '';
      const parts = [...query.matchAll(/label_replace\((.*?), "equipoise_part", "([^"]*)", "", ""\)/g)];
      const asked = parts.length > 0 ? parts.map(([, text = '', part = '']) => [text, part]) : [[query, '']];
      const result = asked.flatMap(([text = '', part]) => {
        const value = text === 'vector(time())' ? time() : answerTo(`${part}: ${text}`);
        return value === undefined ? [] : [{ metric: part === '' ? {} : { equipoise_part: part }, value: [1, value] }];
      });
      answer.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = new PrometheusApi({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  try {
    return await examineSeries(api, {
      pipeline: { name: 'shelf', namespace: 'shop', sources: ['equipoise'], router: 'shelf', workloads: [] },
      pods: [],
      scrapeIntervalMs: 5000,
      percentile: 99,
      nowEpochMs: Date.now,
      pause: () => Promise.resolve(),
    });
  } finally {
    api.close();
    server.close();
  }
}

it.each([
  ['falls', (query: string) => (query.includes('resets(') ? '-1e+300' : '1'), 'fell -1e+300 times'],
  ['falls', (query: string) => (query.includes('resets(') ? '2.5' : '1'), 'fell 2.5 times'],
  [
    'time',
    (query: string) => (/timestamp.*time\(\) >/.test(query) ? '1e300' : query.includes('resets') ? undefined : '1'),
    '1e+300 s ahead',
  ],
  ['age', () => '1e300', 'is 1e+300 s old'],
  ['age', () => '-Inf', 'is -Infinity s old'],
])('calls a server with an implausible %s no Prometheus', async (_, answerTo, words) => {
  const findings = await findingsOf(answerTo);
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'prometheus-unreachable', message: expect.stringContaining(words) }),
  );
  expect(findings.at(-1)?.message).toContain('is no Prometheus: it says that');
});

it.each(['NaN', '+Inf', '-Inf', '1e300', '-5', 'soon'])(
  'calls a server whose time is %s no Prometheus',
  async (time) => {
    const findings = await findingsOf(
      () => '1',
      () => time,
    );
    expect(findings).toMatchObject([{ check: 'prometheus-unreachable', severity: 'error' }]);
    expect(findings[0]?.message).toContain('is no Prometheus');
  },
);
