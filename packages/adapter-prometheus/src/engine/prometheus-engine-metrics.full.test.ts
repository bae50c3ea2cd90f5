/** The port `EngineMetrics` on a real Prometheus, with series as engines write them. */
import { SeededRng, type StageId, type VariantId } from '@equipoise/core/model';
import type { EngineMetricsAnswer, EngineMetricsQuestion } from '@equipoise/core/ports';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PrometheusApi } from '../api/prometheus-api.js';
import { PrometheusServer, prometheusTool } from '../prometheus-server.test-support.js';
import { type CountedEvent, poissonEvents, Recording, START_EPOCH_MS } from '../recorded-series.test-support.js';
import {
  istioSeries,
  mlserverSeries,
  seldonV1Series,
  seldonV2ModelSeries,
  seldonV2PipelineSeries,
} from '../upstream-series.test-support.js';
import { PrometheusEngineMetrics } from './prometheus-engine-metrics.js';

const SCRAPE_MS = 5_000;
const END_MS = 10 * 60_000;
const namespace = 'shop';
const random = new SeededRng(7);
/** 30 to 330 ms, so that half of the requests are within 180 ms. */
const arrivals = poissonEvents(
  () => 20,
  END_MS,
  () => random.next(),
  () => 30 + 300 * random.next(),
);
const everyTenth = (_: CountedEvent, index: number) => index % 10 === 0;
const failed = arrivals.filter(everyTenth);
const completed = arrivals.filter((event, index) => !everyTenth(event, index));
const always = { everyMs: SCRAPE_MS, fromMs: 0, untilMs: END_MS };

const question = (engine: EngineMetricsQuestion['engine']): EngineMetricsQuestion => ({
  ...{ engine, namespace, pipeline: 'shelf', graphs: ['shelf', 'shelf--next'] },
  stages: [{ stageId: 'detect' as StageId, variantId: 'small' as VariantId, workload: 'shelf--detect--small' }],
  slo: { latencyMs: 180, percentile: 99 },
});

function recorded(): string {
  const recording = new Recording();
  const gateways = ['gateway-0', 'gateway-1'].map((pod) => ({ namespace, pod }));
  const stagePod = { namespace, pod: 'shelf--detect--small-0' };
  for (const [index, on] of gateways.entries()) {
    // The second gateway leaves in the middle.
    const scrapes = index === 0 ? always : { ...always, untilMs: END_MS / 2 };
    const half = (_: CountedEvent, at: number) => at % 2 === index;
    seldonV2PipelineSeries(recording, on, { pipeline: 'shelf' }, completed.filter(half), scrapes);
    seldonV2PipelineSeries(recording, on, { pipeline: 'shelf', code: '500' }, failed.filter(half), scrapes);
  }
  const [gateway] = gateways;
  if (gateway === undefined) throw new Error('no gateway');
  seldonV1Series(recording, gateway, { deployment: 'shelf' }, completed, always);
  seldonV1Series(recording, gateway, { deployment: 'shelf', model: 'detect' }, completed, always);
  istioSeries(recording, gateway, { reporter: 'destination', from: 'gateway', to: 'shelf' }, completed, always);
  istioSeries(
    recording,
    gateway,
    { reporter: 'destination', from: 'gateway', to: 'shelf', responseCode: '503' },
    failed,
    always,
  );
  seldonV2ModelSeries(recording, stagePod, 'shelf--detect--small', completed, always);
  mlserverSeries(recording, stagePod, { model: 'detect' }, completed, always);
  return recording.text;
}

/** Events between two instants. */
const between = (events: readonly CountedEvent[], fromMs: number, toMs: number, isWanted = (_: CountedEvent) => true) =>
  events.filter((event) => event.atMs > fromMs && event.atMs <= toMs && isWanted(event)).length;

describeWithTool(prometheusTool, 'counters of engines from a real Prometheus', () => {
  let server: PrometheusServer;
  let api: PrometheusApi;
  let atMs = 0;

  beforeAll(async () => {
    server = await PrometheusServer.start({ openMetrics: recorded() });
    api = new PrometheusApi({ url: server.url });
  }, 120_000);

  afterAll(async () => {
    api?.close();
    await server?.stop();
  });

  const source = () =>
    new PrometheusEngineMetrics(api, {
      scrapeIntervalMs: SCRAPE_MS,
      nowMs: () => atMs,
      atEpochMs: () => START_EPOCH_MS + atMs,
    });

  async function readAt(metrics: PrometheusEngineMetrics, engine: EngineMetricsQuestion['engine'], instantMs: number) {
    atMs = instantMs;
    return metrics.read(question(engine), 4_000);
  }

  const graphOf = ({ graphs }: EngineMetricsAnswer) => {
    const [graph] = graphs;
    if (graph === undefined) throw new Error('no graph');
    return graph;
  };

  it.each(['seldon-v2', 'seldon-v1', 'kserve'] as const)(
    'count the requests of %s between two scrapes',
    async (engine) => {
      const metrics = source();
      const first = await readAt(metrics, engine, 61_000);
      expect(graphOf(first)).toMatchObject({ graph: 'shelf', ageMs: 1_000, endedTotal: 0 });
      expect(first).toMatchObject({ staleAfterMs: 10_000, missing: [] });
      const second = await readAt(metrics, engine, 241_000);
      const ended = graphOf(second).endedTotal;
      const truth =
        between(completed, 60_000, 240_000) + (engine === 'seldon-v1' ? 0 : between(failed, 60_000, 240_000));
      expect(ended).toBe(truth);
      const within = between(completed, 60_000, 240_000, ({ durationMs }) => durationMs <= 180);
      expect(Math.abs(graphOf(second).withinSloTotal / within - 1)).toBeLessThan(0.05);
      const { latencies } = graphOf(second);
      expect(latencies.at(-1)?.upToS).toBe(Number.POSITIVE_INFINITY);
      expect(latencies.reduce((sum, { count }) => sum + count, 0)).toBe(between(completed, 60_000, 240_000));
      const [workload] = second.workloads;
      expect(workload).toMatchObject({
        workload: 'shelf--detect--small',
        requestsTotal: between(completed, 60_000, 240_000),
      });
    },
  );

  it('do not take the leaving of a pod for a burst', async () => {
    const metrics = source();
    const totals: number[] = [];
    for (let instantMs = END_MS / 2 - 60_000; instantMs <= END_MS; instantMs += 10_000) {
      totals.push(graphOf(await readAt(metrics, 'seldon-v2', instantMs)).endedTotal);
    }
    const steps = totals.slice(1).map((total, index) => total - (totals[index] ?? 0));
    // 20 requests per second for 10 s; half of them after one of two gateways has gone.
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(60);
    expect(Math.max(...steps)).toBeLessThan(280);
  });

  it('name the series that are missing, and since when', async () => {
    const late = await readAt(source(), 'seldon-v2', END_MS + 20 * 60_000);
    const series = 'seldon_pipeline_infer_api_seconds_bucket{pipeline="shelf"}';
    expect(late).toMatchObject({ graphs: [], missing: [{ series, sinceEpochMs: START_EPOCH_MS + END_MS }] });
    const never = await source().read({ ...question('kserve'), graphs: ['other'] }, 4_000);
    const mesh = 'istio_request_duration_milliseconds_bucket{destination_workload="other"}';
    expect(never.missing).toEqual([{ series: mesh }]);
  });

  it('grow older while no sample comes', async () => {
    const answer = await readAt(source(), 'seldon-v2', END_MS + 11_000);
    expect(graphOf(answer).ageMs).toBe(11_000);
    expect(graphOf(answer).ageMs).toBeGreaterThan(answer.staleAfterMs);
  });
});
