import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const prometheus: Tool = {
  name: 'prometheus',
  missing: 'prometheus and promtool of the package prometheus, on the PATH',
  isPresent: () => runs('prometheus') && runs('promtool'),
};

const folder = new TestFolder();
let url = '';
let admin = '';

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  const server = await serving(folder.path, 'pipeline.yaml', '--arrival-rps', '5', '--trace-sample', '1');
  url = server.url;
  [, admin = ''] = await server.command.said(/admin port (http:\/\/[^/]+)/);
  for (let i = 0; i < 20; i++) {
    await fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body: 'hi' });
  }
});

afterAll(() => folder.remove());

describe('the metrics of a served pipeline', () => {
  describeWithTool(prometheus, 'read by Prometheus', () => {
    it('have nothing that promtool objects to', async () => {
      const page = await (await fetch(`${url}/metrics`)).text();
      const objections = promtool(page)
        .split('\n')
        // The client library names the metrics of the process itself.
        .filter((line) => line !== '' && !/^(nodejs|process)_/.test(line));
      expect(objections).toEqual([]);
    });

    it('are what the alarms ask for, in rules that promtool takes', () => {
      const rules = fileURLToPath(new URL('../../../../deploy/prometheus/equipoise-alerts.yaml', import.meta.url));
      expect(execFileSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' })).toContain('7 rules found');
    });

    it('are scraped by a server and answer its queries', async () => {
      const port = await freePort();
      folder.write(
        'prometheus.yml',
        `scrape_configs:\n  - job_name: equipoise\n    scrape_interval: 1s\n    static_configs: [{ targets: ['${new URL(url).host}'] }]\n`,
      );
      const child = spawn('prometheus', [
        `--config.file=${join(folder.path, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
        '--log.level=error',
      ]);
      try {
        const query = (expression: string) => answerOf(`http://127.0.0.1:${port}`, expression);
        await expect.poll(() => query('up{job="equipoise"}'), { timeout: 60_000, interval: 500 }).toBe(1);
        expect(await query('equipoise_requests_total{outcome="completed"}')).toBe(20);
        expect(await query('sum(equipoise_request_duration_seconds_count)')).toBe(20);
        expect(await query('sum(equipoise_replicas{status="ready"}) - sum(equipoise_desired_replicas)')).toBe(0);
        const p99 = await query('histogram_quantile(0.99, equipoise_request_duration_seconds_bucket)');
        expect(p99).toBeGreaterThan(0);
        // The traces of all requests are kept (--trace-sample 1), so the newest of each bucket is an exemplar.
        const exemplars = await exemplarsOf(`http://127.0.0.1:${port}`, 'equipoise_request_duration_seconds_bucket');
        expect(exemplars.length).toBeGreaterThan(0);
        const kept = await fetch(`${admin}/admin/pipelines/synthetic/requests?limit=100`);
        const { requests } = (await kept.json()) as { requests: readonly { traceId: string; latencyMs: number }[] };
        for (const { labels, value } of exemplars) {
          const request = requests.find(({ traceId }) => traceId === labels['trace_id']);
          expect(1000 * Number(value)).toBeCloseTo(request?.latencyMs ?? Number.NaN, 0);
        }
      } finally {
        child.kill();
        await once(child, 'close');
      }
    });
  });
});

function runs(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Output of `promtool check metrics` for a page. */
function promtool(page: string): string {
  try {
    execFileSync('promtool', ['check', 'metrics'], { input: page, stdio: ['pipe', 'ignore', 'pipe'] });
    return '';
  } catch (error) {
    return String((error as { readonly stderr: Buffer }).stderr);
  }
}

/** Value of an expression with one result; undefined while there is no answer or no data. */
async function answerOf(server: string, expression: string): Promise<number | undefined> {
  try {
    const reply = await fetch(`${server}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data } = (await reply.json()) as { data: { result: readonly { value: readonly [number, string] }[] } };
    return data.result[0] === undefined ? undefined : Number(data.result[0].value[1]);
  } catch {
    return undefined;
  }
}

interface KeptExemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
}

async function exemplarsOf(server: string, metric: string): Promise<readonly KeptExemplar[]> {
  const range = `start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 60}`;
  const reply = await fetch(`${server}/api/v1/query_exemplars?query=${metric}&${range}`);
  const { data } = (await reply.json()) as { data: readonly { exemplars: readonly KeptExemplar[] }[] };
  return data.flatMap(({ exemplars }) => exemplars);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
