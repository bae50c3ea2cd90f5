/** The doctor on a real Prometheus that scrapes pages with one fault each. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PrometheusApi } from '../api/prometheus-api.js';
import { PrometheusServer, prometheusTool } from '../prometheus-server.test-support.js';
import type { SeriesSource, WatchedPipeline } from '../series/watched-pipeline.js';
import { type DoctorQuestion, examineSeries } from './examine-series.js';

/** Longer than the scrape interval of the jobs, so that a busy machine makes no series stale. */
const SCRAPE_INTERVAL_MS = 10_000;
const LEAST_SCRAPES = 4;

const namespaces = {
  healthy: 'router',
  missing: 'router',
  buckets: 'router',
  mislabelled: 'other-pipeline',
  misplaced: 'router',
  closed: 'closed',
  forbidden: 'forbidden',
  late: 'late',
  ended: 'ended',
  restarting: 'restarting',
  twice: 'router',
  dropped: 'router',
  slow: 'router',
} as const;

type Fault = keyof typeof namespaces;

/** Page of a router as docs/reference/metrics.md describes it; `suffix`: timestamp. */
function routerPage(count: number, { pipeline = 'shelf', suffix = '' } = {}): string {
  const own = `pipeline="${pipeline}"`;
  const variant = `${own},stage="detect",variant="small"`;
  const histogram = (name: string, labels: string) => [
    `${name}_bucket{${labels},le="0.1"} ${count}${suffix}`,
    `${name}_bucket{${labels},le="+Inf"} ${count}${suffix}`,
    `${name}_sum{${labels}} ${count / 20}${suffix}`,
    `${name}_count{${labels}} ${count}${suffix}`,
  ];
  const lines = [
    `equipoise_arrivals_total{${own}} ${count}${suffix}`,
    `equipoise_requests_total{${own},outcome="completed",reason=""} ${count}${suffix}`,
    ...histogram('equipoise_request_duration_seconds', own),
    ...histogram('equipoise_batch_size', variant),
    ...histogram('equipoise_batch_service_seconds', variant),
    `equipoise_stage_queue_length{${own},stage="detect"} 0${suffix}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Page of a kubelet: the metrics of recorded/kubelet-1.36.3-cadvisor.prom that are used. */
function kubeletPage(count: number): string {
  const labels = (namespace: string) => `container="stage",namespace="${namespace}",pod="shelf--detect--small-0"`;
  return ['healthy', 'renamed']
    .flatMap((namespace) => [
      `container_cpu_usage_seconds_total{${labels(namespace)},cpu="total"} ${count}`,
      `container_memory_working_set_bytes{${labels(namespace)}} 1000`,
    ])
    .map((line) => `${line}\n`)
    .join('');
}

const startedAtMs = Date.now();
let counted = 0;

/** Counters grow with each scrape. */
const pages: Readonly<Record<string, () => string | number>> = {
  router: () => routerPage(++counted),
  'other-pipeline': () => routerPage(++counted, { pipeline: 'mood' }),
  forbidden: () => 403,
  late: () => routerPage(++counted, { suffix: ` ${Date.now() - 30_000}` }),
  ended: () => routerPage(7, { suffix: ` ${startedAtMs - 60_000}` }),
  restarting: () => routerPage(++counted % 2 === 0 ? 1_000 + counted : counted),
  'metrics/cadvisor': () => kubeletPage(++counted),
};

function jobs(port: number): string {
  const target = (path: string) => (path === 'closed' ? '127.0.0.1:9' : `127.0.0.1:${port}`);
  const job = (name: string, fault: Fault, more = '', labels = `namespace: ${fault}, pod: shelf-0`) => `
  - job_name: ${name}
    metrics_path: /${namespaces[fault]}
    ${more}
    static_configs: [{ targets: ['${target(namespaces[fault])}'], labels: { ${labels} } }]`;
  const dropping = (pattern: string) =>
    `metric_relabel_configs: [{ source_labels: [__name__], regex: '${pattern}', action: drop }]`;
  const kubelet = (name: string, honor: boolean) => `
  - job_name: ${name}
    metrics_path: /metrics/cadvisor
    honor_labels: ${honor}
    metric_relabel_configs: [{ source_labels: [${honor ? 'namespace' : 'exported_namespace'}], regex: '${honor ? 'healthy' : 'renamed'}', action: keep }]
    static_configs: [{ targets: ['127.0.0.1:${port}'], labels: { namespace: kube-system, pod: kubelet } }]`;
  return `global: { scrape_interval: 500ms, scrape_timeout: 500ms }
scrape_configs:${[
    job('healthy', 'healthy'),
    job('missing', 'missing', dropping('equipoise_batch_size.*')),
    job('buckets', 'buckets', dropping('equipoise_request_duration_seconds_bucket')),
    job('mislabelled', 'mislabelled'),
    job('misplaced', 'misplaced', '', 'namespace: elsewhere, pod: lost-0'),
    job('closed', 'closed'),
    job('forbidden', 'forbidden'),
    job('late', 'late'),
    job('ended', 'ended'),
    job('restarting', 'restarting'),
    job('twice-a', 'twice'),
    job('twice-b', 'twice'),
    job(
      'dropped',
      'dropped',
      'relabel_configs: [{ source_labels: [pod], regex: none, action: keep }]',
      'namespace: dropped, pod: shelf-0, __meta_kubernetes_namespace: dropped, __meta_kubernetes_pod_name: shelf-0',
    ),
    job('slow', 'slow', 'scrape_interval: 15s'),
    kubelet('kubelet', true),
    kubelet('kubelet-renaming', false),
  ].join('')}
`;
}

describeWithTool(prometheusTool, 'the doctor', () => {
  let exporter: Server;
  let server: PrometheusServer;
  let api: PrometheusApi;

  beforeAll(async () => {
    exporter = createServer((request, response) => {
      const page = pages[(request.url ?? '').slice(1)]?.() ?? 404;
      if (typeof page === 'number') response.writeHead(page).end();
      else response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(page);
    });
    await new Promise<void>((resolve) => exporter.listen(0, '127.0.0.1', resolve));
    server = await PrometheusServer.start({ config: jobs((exporter.address() as AddressInfo).port) });
    api = new PrometheusApi({ url: server.url });
    const first = async (expression: string) => (await api.query(expression))[0]?.value ?? 0;
    // Counts scrapes that succeed: on a busy machine, some take too long.
    while ((await first('min(sum_over_time(up{job!~"closed|forbidden|slow"}[10m]))')) < LEAST_SCRAPES) await sleep(250);
    while ((await first('resets(equipoise_arrivals_total{namespace="restarting"}[10m])')) < 3) await sleep(250);
    while ((await first('count(up{job=~"closed|forbidden"} == 0)')) < 2) await sleep(250);
  }, 300_000);

  afterAll(async () => {
    api?.close();
    await server?.stop();
    exporter?.closeAllConnections();
    exporter?.close();
  });

  function questionOn(namespace: string, ...sources: SeriesSource[]): DoctorQuestion {
    const pipeline: WatchedPipeline = {
      ...{ name: 'shelf', namespace, router: 'shelf', sources },
      workloads: [{ stage: 'detect', variant: 'small', name: 'shelf--detect--small' }],
    };
    const isRouted = sources.includes('equipoise');
    return {
      pipeline,
      pods: isRouted ? [{ name: 'shelf-0', namespace, source: 'equipoise' }] : [],
      ...{ scrapeIntervalMs: SCRAPE_INTERVAL_MS, percentile: 99 },
      nowEpochMs: Date.now,
      pause: nextLateSample,
    };
  }

  /** Resolves once a series that is late has a newer sample. */
  async function nextLateSample(): Promise<void> {
    const newest = async () =>
      (await api.query('max(timestamp(equipoise_arrivals_total{namespace="late"}))'))[0]?.value ?? 0;
    const before = await newest();
    while ((await newest()) <= before) await sleep(100);
  }

  /** Names of findings, without the lack of rules, which this server has nowhere. */
  async function checks(question: DoctorQuestion): Promise<readonly string[]> {
    const findings = await examineSeries(api, question);
    for (const { message, fix } of findings) expect([message, fix].every((text) => text.length > 10)).toBe(true);
    return [...new Set(findings.map(({ check }) => check))].filter((check) => check !== 'rules-missing');
  }

  it('finds nothing where nothing is wrong', async () => {
    // On a busy machine a scrape may take too long. The next one succeeds.
    const found = () => checks(questionOn('healthy', 'equipoise', 'cadvisor'));
    await expect.poll(found, { timeout: 120_000, interval: 250 }).toEqual([]);
  });

  it.each<[string, Fault | 'nowhere', readonly string[]]>([
    ['a metric that is dropped', 'missing', ['series-missing']],
    ['buckets that are dropped', 'buckets', ['buckets-missing']],
    ['the series of another pipeline', 'mislabelled', ['label-mismatch']],
    ['a port that is closed', 'closed', ['scrape-fails', 'wrong-namespace']],
    ['a permission that lacks', 'forbidden', ['scrape-not-permitted', 'wrong-namespace']],
    ['a clock that is behind', 'late', ['clock-skew']],
    ['series that have ended', 'ended', ['series-stale']],
    ['counters that fall', 'restarting', ['counter-resets']],
    ['a pod that is scraped twice', 'twice', ['scraped-twice']],
    ['a target that a selector drops', 'dropped', ['target-dropped', 'wrong-namespace']],
    ['a namespace that nobody discovers', 'nowhere', ['target-missing', 'wrong-namespace']],
    ['a job that scrapes too rarely', 'slow', ['scrape-interval']],
  ])('names %s', async (_, namespace, expected) => {
    expect(await checks(questionOn(namespace, 'equipoise'))).toEqual(expect.arrayContaining([...expected]));
  });

  it('names labels that a scrape renamed', async () => {
    const findings = await examineSeries(api, questionOn('renamed', 'cadvisor'));
    expect(findings).toContainEqual(
      expect.objectContaining({ check: 'label-renamed', fix: expect.stringContaining('honorLabels: true') }),
    );
  });

  it('names the namespace in which the series are', async () => {
    const findings = await examineSeries(api, questionOn('misplaced', 'equipoise'));
    const found = findings.find(({ check }) => check === 'wrong-namespace');
    expect(found?.message).toMatch(/equipoise_arrivals_total of shelf has namespace .*, expected misplaced/);
  });

  it('names a clock of the server that differs from that of this machine', async () => {
    const question = { ...questionOn('healthy', 'equipoise'), nowEpochMs: () => Date.now() - 60_000 };
    const [finding] = await examineSeries(api, question);
    expect(finding).toMatchObject({ check: 'clock-skew', message: expect.stringMatching(/\d s ahead of/) });
  });

  describe('a server that does not answer', () => {
    it.each([
      [401, 'prometheus-refuses', '--prometheus-token-file'],
      [403, 'prometheus-refuses', 'the right to query'],
      [404, 'prometheus-unreachable', '--prometheus'],
    ])('with status %i', async (status, check, fix) => {
      const proxy = createServer((_, response) => response.writeHead(status).end('no'));
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      const { port } = proxy.address() as AddressInfo;
      const refusing = new PrometheusApi({ url: `http://127.0.0.1:${port}` });
      const findings = await examineSeries(refusing, questionOn('healthy', 'equipoise'));
      expect(findings).toEqual([expect.objectContaining({ check, fix: expect.stringContaining(fix) })]);
      refusing.close();
      proxy.closeAllConnections();
      proxy.close();
    });

    it('at all', async () => {
      const findings = await examineSeries(new PrometheusApi({ url: 'http://127.0.0.1:9' }), questionOn('healthy'));
      expect(findings).toMatchObject([
        { check: 'prometheus-unreachable', message: expect.stringContaining('cannot be reached') },
      ]);
    });
  });
});
