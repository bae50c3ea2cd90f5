import { afterEach, describe, expect, it } from 'vitest';
import { PipelineRunner } from '../../data-plane/pipeline-runner.js';
import { ScriptedRunner, serve, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { DesiredReplicas } from '../../observe/desired-replicas.js';
import { PipelineMonitor } from '../../observe/pipeline-monitor.js';
import { tenantsOf } from '../http-bench.test-support.js';
import { type RunningServer, type ServerOptions, startServer } from '../start-server.js';

const running: RunningServer[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close({ timeoutMs: 100 })));
});

async function start(more: Partial<ServerOptions> = {}) {
  const runner = new PipelineRunner({ spec: servingSpec(['a']), hostCores: Number.POSITIVE_INFINITY });
  const replica = new ScriptedRunner(
    (item) => item,
    async () => {},
  );
  serve(runner, 'a', replica);
  const monitor = new PipelineMonitor({ pipelineName: 'bench', version: '9.9.9', desired: new DesiredReplicas() });
  monitor.watch({ runner, runningPlan: () => ({ stages: {} }) });
  const server = await startServer({
    ...{ runners: [runner], version: '9.9.9', port: 0, metrics: monitor.servingPage },
    onAnswer: (call) => monitor.answered(call),
    ...more,
  });
  running.push(server);
  const metrics = async () => (await fetch(`${server.url}/metrics`)).text();
  return { url: server.url, metrics, rendered: () => monitor.servingPage.text() };
}

const tensor = { name: 'x', datatype: 'FP32', shape: [1], data: [1] };

function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

describe('GET /metrics', () => {
  it('answers in the text format of Prometheus', async () => {
    const { url } = await start();
    expect((await post(`${url}/v2/models/bench/infer`, { inputs: [tensor] })).status).toBe(200);
    const reply = await fetch(`${url}/metrics`);
    expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await reply.text();
    expect(text).toContain('equipoise_answers_total{protocol="rest",code="OK",pipeline="bench"} 1');
    expect(text).toContain('equipoise_requests_total{outcome="completed",reason="",pipeline="bench"} 1');
  });

  it('answers with those alone that are asked for by name, as far as there are such', async () => {
    const { url } = await start();
    await post(`${url}/v2/models/bench/infer`, { inputs: [tensor] });
    const names = ['equipoise_request_duration_seconds', 'equipoise_arrivals_total', 'elsewhere_total'];
    const query = names.map((name) => `name[]=${name}`).join('&');
    const text = await (await fetch(`${url}/metrics?${query}`)).text();
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(series).toContain('equipoise_arrivals_total{pipeline="bench"} 1');
    expect(series).toContain('equipoise_request_duration_seconds_bucket{le="+Inf",pipeline="bench"} 1');
    expect(new Set(series.map((line) => line.replace(/(_bucket|_sum|_count)?\{.*/, '')))).toEqual(
      new Set(names.slice(0, 2)),
    );
  });

  it('does not count who reads it, nor probes', async () => {
    const { url, metrics } = await start();
    await metrics();
    await fetch(`${url}/livez`);
    await fetch(`${url}/v2/health/ready`);
    expect(await metrics()).not.toContain('equipoise_answers_total{');
  });

  it('is asked for with the token where the server has one', async () => {
    const { url } = await start({ tenants: tenantsOf('secret') });
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer secret' } })).status).toBe(200);
  });

  it('has no more series and no words of clients, whatever they send', async () => {
    const { url, rendered } = await start();
    const odd = (mark: string) => [
      post(`${url}/v2/models/bench/infer`, { inputs: [{ ...tensor, name: mark }] }),
      post(`${url}/v2/models/${mark}/infer`, { inputs: [tensor] }),
      post(`${url}/v2/models/bench/infer`, { inputs: [{ ...tensor, datatype: mark }] }),
      post(`${url}/v2/models/bench/infer`, { id: mark, inputs: [tensor], parameters: { [mark]: mark } }),
      post(
        `${url}/v2/models/bench/infer`,
        { inputs: [tensor] },
        { 'x-request-id': mark, authorization: `Bearer ${mark}` },
      ),
      fetch(`${url}/${mark}?${mark}=1`),
      fetch(`${url}/v2/models/bench.${mark}`),
      fetch(`${url}/v2/models/bench/infer`, { method: 'DELETE' }),
    ];
    await Promise.all(odd('mark-first'));
    // Arrival windows appear over time, the last after 1 s. Afterwards none appears during the test.
    await expect.poll(rendered).toContain('window_seconds="1"');
    const before = namesOfSeries(await rendered());
    for (let i = 0; i < 20; i++) await Promise.all(odd(`mark-${i}`));
    const text = await rendered();
    expect(namesOfSeries(text)).toEqual(before);
    expect(text).not.toContain('mark');
    expect(before.length).toBeLessThan(400);
  });
});

function namesOfSeries(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !/^(nodejs|process)_/.test(line))
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
    .sort();
}
