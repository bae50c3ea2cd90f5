/** Figures from a real Prometheus whose series are those of other projects, against the events behind them. */
import { SeededRng } from '@equipoise/core/model';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PrometheusApi } from '../api/prometheus-api.js';
import { PrometheusServer, prometheusTool } from '../prometheus-server.test-support.js';
import {
  type CountedEvent,
  poissonEvents,
  Recording,
  type Scrapes,
  START_EPOCH_MS,
  trueMeanMs,
  trueRps,
} from '../recorded-series.test-support.js';
import type { SeriesSource, WatchedPipeline } from '../series/watched-pipeline.js';
import {
  cadvisorSeries,
  istioSeries,
  kserveSeries,
  mlserverSeries,
  seldonV1Series,
  seldonV2ModelSeries,
  seldonV2PipelineSeries,
} from '../upstream-series.test-support.js';
import { readArrivalHistory } from './arrival-history.js';
import type { Figure } from './figure.js';
import { type PipelineMetrics, readPipelineMetrics } from './pipeline-metrics.js';

const SCRAPE_MS = 5_000;
const WINDOW_MS = 4 * SCRAPE_MS;
const END_MS = 20 * 60_000;
/** The scrapes of what dies end here. */
const DEATH_MS = 12 * 60_000;
const rng = new SeededRng(14);
const random = () => rng.next();

/** Load between 50 and 150 requests per second. */
const arrivals = poissonEvents(
  (atMs) => 100 + 50 * Math.sin(atMs / 90_000),
  END_MS,
  random,
  () => 20 + 60 * random(),
);
const taking = (ms: () => number) => (event: CountedEvent) => ({ ...event, durationMs: ms() });
const detections = arrivals.map(taking(() => 5 + 20 * random()));
/** Time in the network per request, of which the sender sees all. */
const network = arrivals.map(() => 1.5 + random());
const seenBySender = detections.map((event, index) => ({
  ...event,
  durationMs: event.durationMs + (network[index] ?? 0),
}));
const failed = arrivals.filter((_, index) => index % 50 === 0);
const succeeded = arrivals.filter((_, index) => index % 50 !== 0);

const namespace = 'shop';
const detectPods = ['shelf--detect--small-7d9c5b6f4d-2xk8p', 'shelf--detect--small-7d9c5b6f4d-q4w7z'];
const classifyPod = 'shelf--classify--large-0';
const mostlyDead = 'shelf--classify--large-1';
const always: Scrapes = { everyMs: SCRAPE_MS, fromMs: 0, untilMs: END_MS };
const untilDeath: Scrapes = { ...always, untilMs: DEATH_MS };

const shared = { name: 'shelf', namespace, router: 'shelf', gateway: 'shelf' };
const workloads = [
  { stage: 'detect', variant: 'small', name: 'shelf--detect--small' },
  { stage: 'classify', variant: 'large', name: 'shelf--classify--large' },
];
const pipelineWith = (...sources: SeriesSource[]): WatchedPipeline => ({ ...shared, workloads, sources });

function recorded(): Recording {
  const recording = new Recording();
  const router = { namespace, pod: 'shelf-5f7d-abcde' };
  const half = (events: readonly CountedEvent[], part: number) => events.filter((_, index) => index % 2 === part);
  istioSeries(
    recording,
    router,
    { reporter: 'destination', from: 'istio-ingressgateway', to: 'shelf' },
    arrivals,
    always,
  );
  istioSeries(
    recording,
    router,
    { reporter: 'source', from: 'shelf', to: 'shelf--detect--small' },
    seenBySender,
    always,
  );
  for (const [index, pod] of detectPods.entries()) {
    const on = { namespace, pod };
    const scrapes = { ...always, offsetMs: 1_700 * (index + 1) };
    const events = half(detections, index);
    istioSeries(recording, on, { reporter: 'destination', from: 'shelf', to: 'shelf--detect--small' }, events, scrapes);
    mlserverSeries(recording, on, { model: 'detect', failed: half(failed, index) }, events, scrapes);
    kserveSeries(recording, on, 'detect', events, scrapes);
    const usage = {
      cpuCores: (atMs: number) => 0.4 + 0.2 * Math.sin(atMs / 200_000),
      throttledFraction: 0.25,
      memoryBytes: 3e8,
    };
    cadvisorSeries(recording, on, 'stage', usage, scrapes);
    cadvisorSeries(recording, on, 'istio-proxy', { ...usage, memoryBytes: 5e7 }, scrapes);
  }
  // Another pipeline whose names begin alike.
  cadvisorSeries(
    recording,
    { namespace, pod: 'shelf--detect-x-0' },
    'stage',
    { cpuCores: () => 3, throttledFraction: 1, memoryBytes: 1e9 },
    always,
  );
  for (const pod of [classifyPod, mostlyDead]) {
    const scrapes = pod === classifyPod ? always : untilDeath;
    cadvisorSeries(
      recording,
      { namespace, pod },
      'mlserver',
      { cpuCores: () => 0.5, throttledFraction: 0, memoryBytes: 2e8 },
      scrapes,
    );
    mlserverSeries(recording, { namespace, pod }, { model: 'classify' }, half(arrivals, 0), untilDeath);
  }
  seldonV1Series(recording, router, { deployment: 'shelf' }, arrivals, always);
  seldonV1Series(recording, router, { deployment: 'shelf', model: 'shelf--detect--small' }, detections, always);
  seldonV2PipelineSeries(recording, router, { pipeline: 'shelf' }, succeeded, always);
  seldonV2PipelineSeries(recording, router, { pipeline: 'shelf', code: '500' }, failed, always);
  seldonV2ModelSeries(
    recording,
    { namespace, pod: 'shelf--detect--small-0' },
    'shelf--detect--small',
    detections,
    always,
  );
  return recording;
}

/** Instants between scrapes, over the whole load. */
const instantsMs = [3, 5, 8, 11, 16, 19].map((minute) => minute * 60_000 + 2_300);

describeWithTool(prometheusTool, 'figures from a real Prometheus', () => {
  let server: PrometheusServer;
  let api: PrometheusApi;

  beforeAll(async () => {
    server = await PrometheusServer.start({ openMetrics: recorded().text });
    api = new PrometheusApi({ url: server.url });
  }, 120_000);

  afterAll(async () => {
    api?.close();
    await server?.stop();
  });

  const read = (sources: readonly SeriesSource[], atMs: number): Promise<PipelineMetrics> =>
    readPipelineMetrics(api, pipelineWith(...sources), {
      scrapeIntervalMs: SCRAPE_MS,
      percentile: 95,
      atEpochMs: START_EPOCH_MS + atMs,
    });

  const variantOf = ({ variants }: PipelineMetrics, stage: string) => {
    const found = variants.find((each) => each.stage === stage);
    if (found === undefined) throw new Error(`no ${stage}`);
    return found;
  };

  /** Largest relative error over the instants. Windows begin up to a scrape interval before the instant. */
  async function largestError(
    source: SeriesSource,
    figure: (metrics: PipelineMetrics) => Figure,
    truth: (atMs: number) => number,
  ): Promise<number> {
    const errors = await Promise.all(
      instantsMs.map(async (atMs) => {
        const found = figure(await read([source], atMs));
        return found.kind === 'fresh' ? Math.abs(found.value / truth(atMs) - 1) : Number.POSITIVE_INFINITY;
      }),
    );
    return Math.max(...errors);
  }

  /** The scrapes at offset 0 see the events of a window that ends at the newest scrape. */
  const scraped = (atMs: number, offsetMs = 0) => Math.floor((atMs - offsetMs) / SCRAPE_MS) * SCRAPE_MS + offsetMs;

  describe('rates are within 2 % of the events', () => {
    it.each([
      ['istio', (metrics: PipelineMetrics) => metrics.arrivalRps],
      ['seldon-v1', (metrics: PipelineMetrics) => metrics.arrivalRps],
      ['seldon-v2', (metrics: PipelineMetrics) => metrics.arrivalRps],
      ['seldon-v1', (metrics: PipelineMetrics) => variantOf(metrics, 'detect').arrivalRps],
      ['seldon-v2', (metrics: PipelineMetrics) => variantOf(metrics, 'detect').arrivalRps],
    ] as const)('%s', async (source, figure) => {
      const rps = (atMs: number) => trueRps(arrivals, scraped(atMs), WINDOW_MS - SCRAPE_MS);
      expect(await largestError(source, figure, rps)).toBeLessThan(0.02);
    });

    it.each(['istio', 'mlserver', 'kserve'] as const)(
      '%s, summed over pods that are scraped at other times',
      async (source) => {
        const rps = (atMs: number) =>
          [0, 1].reduce((sum, part) => {
            const own = detections.filter((_, index) => index % 2 === part);
            return sum + trueRps(own, scraped(atMs, 1_700 * (part + 1)), WINDOW_MS - SCRAPE_MS);
          }, 0);
        const error = await largestError(source, (metrics) => variantOf(metrics, 'detect').arrivalRps, rps);
        expect(error).toBeLessThan(0.02);
      },
    );
  });

  it('tells the time in the network from that of the receiver within 5 %', async () => {
    for (const atMs of instantsMs) {
      const { edges } = await read(['istio'], atMs);
      expect(edges).toEqual([
        { from: 'shelf', to: 'detect', variant: 'small', networkMs: expect.objectContaining({ kind: 'fresh' }) },
      ]);
      const found = edges[0]?.networkMs.kind === 'fresh' ? edges[0].networkMs.value : Number.NaN;
      // The window of this figure is five times as long.
      const windowMs = 5 * WINDOW_MS - SCRAPE_MS;
      const counted = network.filter((_, index) => isWithin(arrivals[index], scraped(atMs), windowMs));
      const truth = counted.reduce((sum, ms) => sum + ms, 0) / counted.length;
      expect(Math.abs(found / truth - 1)).toBeLessThan(0.05);
    }
  });

  it('gives means exactly and percentiles within their bucket', async () => {
    const atMs = 8 * 60_000 + 2_300;
    const truth = trueMeanMs(detections, scraped(atMs), WINDOW_MS - SCRAPE_MS);
    for (const source of ['istio', 'mlserver', 'kserve', 'seldon-v1', 'seldon-v2'] as const) {
      const { meanLatencyMs } = variantOf(await read([source], atMs), 'detect');
      expect(meanLatencyMs, source).toMatchObject({ kind: 'fresh', source });
      expect(Math.abs(valueIn(meanLatencyMs) / truth - 1), source).toBeLessThan(0.02);
    }
    // 95 % of 5 to 25 ms is 24 ms, in the bucket of 10 to 25 ms.
    for (const source of ['istio', 'mlserver', 'kserve', 'seldon-v1'] as const) {
      const { latencyMs } = variantOf(await read([source], atMs), 'detect');
      expect(valueIn(latencyMs), source).toBeGreaterThan(20);
      expect(valueIn(latencyMs), source).toBeLessThanOrEqual(25);
    }
    const { failureRps } = await read(['seldon-v2'], atMs);
    expect(valueIn(failureRps)).toBeCloseTo(trueRps(failed, scraped(atMs), WINDOW_MS - SCRAPE_MS), 5);
    expect((await read(['seldon-v1'], atMs)).failureRps).toMatchObject({ kind: 'fresh', value: 0 });
  });

  it('counts the containers of a stage, without sidecars, pods as a whole and other pipelines', async () => {
    const atMs = 10 * 60_000 + 2_300;
    const { cpuCores, throttledFraction, memoryBytes } = variantOf(await read(['cadvisor'], atMs), 'detect');
    const used = 2 * (0.4 + 0.2 * Math.sin((atMs - WINDOW_MS / 2) / 200_000));
    expect(Math.abs(valueIn(cpuCores) / used - 1)).toBeLessThan(0.02);
    expect(valueIn(throttledFraction)).toBeCloseTo(0.25, 3);
    expect(valueIn(memoryBytes)).toBe(6e8);
  });

  describe('dead series', () => {
    const lastMs = DEATH_MS;
    const classifyAt = async (atMs: number) => variantOf(await read(['mlserver'], atMs), 'classify').arrivalRps;

    it('are fresh until two scrape intervals have passed, then stale', async () => {
      expect(await classifyAt(lastMs + 2 * SCRAPE_MS - 1_000)).toMatchObject({ kind: 'fresh', ageMs: 9_000 });
      const stale = {
        kind: 'stale',
        lastAtEpochMs: START_EPOCH_MS + lastMs,
        metric: 'model_infer_request_success_total',
      };
      expect(await classifyAt(lastMs + 2 * SCRAPE_MS + 1)).toMatchObject({ ...stale, ageMs: 10_001 });
    });

    it('are stale beyond the look-back of Prometheus, and say since when', async () => {
      const metrics = await read(['mlserver'], lastMs + 8 * 60_000 - 1);
      expect(variantOf(metrics, 'classify').arrivalRps).toMatchObject({ kind: 'stale', ageMs: 8 * 60_000 - 1 });
      expect(metrics.lacks).toContain(
        'mlserver: no sample of model_infer_request_success_total since 2026-01-05T08:12:00Z',
      );
      expect(variantOf(metrics, 'detect').arrivalRps).toMatchObject({ kind: 'fresh' });
    });

    it('do not count next to living ones', async () => {
      const cores = async (atMs: number) => valueIn(variantOf(await read(['cadvisor'], atMs), 'classify').cpuCores);
      expect(await cores(lastMs)).toBeCloseTo(1, 2);
      // Prometheus itself would count the last values of the dead pod for five minutes.
      expect(await cores(lastMs + 2 * SCRAPE_MS + 1_000)).toBeCloseTo(0.5, 2);
    });

    it('that never were are absent', async () => {
      const metrics = await read(['equipoise', 'kserve'], 8 * 60_000);
      expect(metrics.arrivalRps).toEqual({ kind: 'absent', source: 'equipoise', metric: 'equipoise_arrivals_total' });
      expect(variantOf(metrics, 'classify').latencyMs.kind).toBe('absent');
      expect(metrics.lacks).toContain('equipoise: no sample of equipoise_arrivals_total within the last hour');
    });
  });

  it('reads a figure that its first source lacks from the next one', async () => {
    const { arrivalRps } = await read(['equipoise', 'seldon-v2', 'istio'], 8 * 60_000);
    expect(arrivalRps).toMatchObject({ kind: 'fresh', source: 'seldon-v2' });
  });

  it('gives the past to a controller that starts, with gaps as gaps', async () => {
    const window = { fromEpochMs: START_EPOCH_MS - 57_700, toEpochMs: START_EPOCH_MS + 10 * 60_000, stepMs: 10_000 };
    const points = await readArrivalHistory(api, pipelineWith('equipoise', 'istio'), {
      ...window,
      scrapeIntervalMs: SCRAPE_MS,
    });
    expect(points[0]?.atEpochMs).toBeGreaterThan(START_EPOCH_MS);
    expect(points.length).toBeGreaterThanOrEqual(59);
    for (const { atEpochMs, value } of points.slice(3)) {
      const atMs = atEpochMs - START_EPOCH_MS;
      expect(Math.abs(value / trueRps(arrivals, scraped(atMs), WINDOW_MS - SCRAPE_MS) - 1)).toBeLessThan(0.02);
    }
  });

  it('knows nothing, and says why, if the server is gone', async () => {
    const gone = new PrometheusApi({ url: 'http://127.0.0.1:9' });
    const options = { scrapeIntervalMs: SCRAPE_MS, percentile: 95 };
    const metrics = await readPipelineMetrics(gone, pipelineWith('istio'), options);
    expect(metrics.arrivalRps).toEqual({ kind: 'unknown', reason: expect.stringContaining('cannot be reached') });
    expect(metrics.lacks).toHaveLength(1);
  });
});

const valueIn = (figure: Figure): number => (figure.kind === 'fresh' ? figure.value : Number.NaN);

const isWithin = (event: CountedEvent | undefined, atMs: number, windowMs: number): boolean =>
  event !== undefined && event.atMs > atMs - windowMs && event.atMs <= atMs;
