/** The port `EngineMetrics` over a Prometheus server. */
import type { EngineMetrics, EngineMetricsAnswer, EngineMetricsQuestion } from '@equipoise/core/ports';
import type { PrometheusApi, Sample } from '../api/prometheus-api.js';
import { type GraphSeries, graphSeries, type WorkloadSeries, workloadSeries } from './engine-series.js';
import { GrowingTotals } from './growing-totals.js';

export interface EngineMetricsOptions {
  readonly scrapeIntervalMs: number;
  /** Monotonic time. */
  readonly nowMs: () => number;
  /** Instant of all queries; default: the time of the server. */
  readonly atEpochMs?: () => number;
}

type GraphCounters = EngineMetricsAnswer['graphs'][number];
type WorkloadCounters = EngineMetricsAnswer['workloads'][number];

interface Memory {
  readonly totals: GrowingTotals;
  /** Upper bounds of the buckets of a graph, in the unit of the histogram. */
  readonly bounds: Map<string, Set<number>>;
  askedAtMs: number;
}

const INTERVALS_UNTIL_STALE = 2;
const FORGET_MS = 3_600_000;
const PART = 'equipoise_part';

export class PrometheusEngineMetrics implements EngineMetrics {
  readonly #api: PrometheusApi;
  readonly #options: EngineMetricsOptions;
  readonly #memories = new Map<string, Memory>();

  constructor(api: PrometheusApi, options: EngineMetricsOptions) {
    this.#api = api;
    this.#options = options;
  }

  async read(question: EngineMetricsQuestion, timeoutMs: number): Promise<EngineMetricsAnswer> {
    const graph = graphSeries(question);
    const workloads = workloadSeries(question);
    const untilMs = this.#options.nowMs() + timeoutMs;
    const parts = await this.#ask(
      [
        ['graph', `${graph.histogram}_bucket{${graph.selector}}`],
        ['graph age', `time() - timestamp(${graph.histogram}_bucket{${graph.selector},le="+Inf"})`],
        ...workloads.flatMap(({ requests, duration, selector }, index): [string, string][] => [
          [`requests ${index}`, `${requests}{${selector}}`],
          [`duration ${index}`, `${duration}{${selector}}`],
          [`age ${index}`, `time() - timestamp(${requests}{${selector}})`],
        ]),
      ],
      timeoutMs,
    );
    const memory = this.#memoryOf(question);
    const graphs = this.#graphs(question, graph, parts, memory);
    const missing = graphs.some(({ graph: name }) => name === question.graphs[0])
      ? []
      : [await this.#missing(graph, question.graphs[0] ?? question.pipeline, untilMs)];
    return {
      staleAfterMs: INTERVALS_UNTIL_STALE * this.#options.scrapeIntervalMs,
      graphs,
      workloads: this.#workloads(workloads, parts, memory),
      missing,
    };
  }

  #graphs(
    { graphs, slo }: EngineMetricsQuestion,
    series: GraphSeries,
    parts: ReadonlyMap<string, readonly Sample[]>,
    { totals, bounds }: Memory,
  ): readonly GraphCounters[] {
    const { nameLabel, codeLabel, isSuccess, unitS } = series;
    const samples = parts.get('graph') ?? [];
    const totalOf = ({ labels }: Sample): string => {
      const { [nameLabel]: name = '', [codeLabel]: code = '', le = '' } = labels;
      return bucketKey(name, isSuccess(code), boundOf(le));
    };
    totals.add(samples, this.#options.nowMs(), totalOf);
    for (const { labels } of samples) {
      const { [nameLabel]: name = '', le = '' } = labels;
      const own = bounds.get(name) ?? new Set();
      bounds.set(name, own.add(boundOf(le)));
    }
    return graphs.flatMap((graph) => {
      const ages = (parts.get('graph age') ?? []).filter(({ labels }) => labels[nameLabel] === graph);
      if (ages.length === 0) return [];
      const sorted = [...(bounds.get(graph) ?? [])].toSorted((a, b) => a - b);
      const completed = sorted.map((bound) => ({
        upToS: bound * unitS,
        total: totals.get(bucketKey(graph, true, bound)),
      }));
      const infinite = Number.POSITIVE_INFINITY;
      const endedTotal = totals.get(bucketKey(graph, true, infinite)) + totals.get(bucketKey(graph, false, infinite));
      return [
        {
          graph,
          ageMs: youngestMs(ages),
          arrivedTotal: endedTotal,
          endedTotal,
          withinSloTotal: interpolated(completed, slo.latencyMs / 1000),
          latencies: completed.map(({ upToS, total }, index) => ({
            upToS,
            count: Math.max(0, total - (completed[index - 1]?.total ?? 0)),
          })),
        },
      ];
    });
  }

  #workloads(
    candidates: readonly WorkloadSeries[],
    parts: ReadonlyMap<string, readonly Sample[]>,
    { totals }: Memory,
  ): readonly WorkloadCounters[] {
    const found = new Map<string, WorkloadCounters>();
    for (const [index, { workloadOf }] of candidates.entries()) {
      const key = (kind: string, { labels }: Sample) => `${kind} ${index} ${workloadOf(labels) ?? ''}`;
      for (const kind of ['requests', 'duration']) {
        totals.add(parts.get(`${kind} ${index}`) ?? [], this.#options.nowMs(), (sample) => key(kind, sample));
      }
      const ages = parts.get(`age ${index}`) ?? [];
      for (const workload of new Set(ages.map(({ labels }) => workloadOf(labels)))) {
        if (workload === undefined || found.has(workload)) continue;
        const ageMs = youngestMs(ages.filter(({ labels }) => workloadOf(labels) === workload));
        const requestsTotal = totals.get(`requests ${index} ${workload}`);
        const durationSTotal = totals.get(`duration ${index} ${workload}`);
        found.set(workload, { workload, ageMs, requestsTotal, durationSTotal });
      }
    }
    return [...found.values()];
  }

  /** Name of a missing series, and the time of its newest sample within the last hour. */
  async #missing({ histogram, selector, nameLabel }: GraphSeries, graph: string, untilMs: number) {
    const series = `${histogram}_bucket{${nameLabel}="${graph}"}`;
    const vector = `${histogram}_bucket{${selector},${nameLabel}="${graph}",le="+Inf"}`;
    const leftMs = Math.max(1, Math.floor(untilMs - this.#options.nowMs()));
    const expression = `max(max_over_time(timestamp(${vector})[1h:30s]))`;
    const [last] = await this.#api.query(expression, this.#options.atEpochMs?.(), leftMs).catch(() => []);
    return last === undefined ? { series } : { series, sinceEpochMs: Math.round(last.value * 1000) };
  }

  async #ask(
    parts: readonly (readonly [string, string])[],
    timeoutMs: number,
  ): Promise<ReadonlyMap<string, readonly Sample[]>> {
    const union = parts.map(([name, vector]) => `label_replace(${vector}, "${PART}", "${name}", "", "")`).join(' or ');
    const samples = await this.#api.query(union, this.#options.atEpochMs?.(), timeoutMs);
    const found = new Map<string, Sample[]>();
    for (const { labels, value } of samples) {
      const { [PART]: part = '', ...own } = labels;
      const before = found.get(part) ?? [];
      before.push({ labels: own, value });
      found.set(part, before);
    }
    return found;
  }

  #memoryOf({ namespace, pipeline }: EngineMetricsQuestion): Memory {
    const nowMs = this.#options.nowMs();
    for (const [key, { askedAtMs }] of this.#memories) if (nowMs - askedAtMs > FORGET_MS) this.#memories.delete(key);
    const key = `${namespace}/${pipeline}`;
    const memory = this.#memories.get(key) ?? { totals: new GrowingTotals(), bounds: new Map(), askedAtMs: nowMs };
    memory.askedAtMs = nowMs;
    this.#memories.set(key, memory);
    return memory;
  }
}

const bucketKey = (graph: string, isSuccess: boolean, bound: number): string => `${graph} ${isSuccess} ${bound}`;

const boundOf = (le: string): number => (le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le));

const youngestMs = (ages: readonly Sample[]): number => Math.round(1000 * Math.min(...ages.map(({ value }) => value)));

/** Requests up to a latency, with those of a bucket spread evenly over it. */
function interpolated(
  cumulative: readonly { readonly upToS: number; readonly total: number }[],
  latencyS: number,
): number {
  const index = cumulative.findIndex(({ upToS }) => upToS >= latencyS);
  const above = cumulative[index];
  if (above === undefined) return cumulative.at(-1)?.total ?? 0;
  const below = cumulative[index - 1] ?? { upToS: 0, total: 0 };
  if (above.upToS === Number.POSITIVE_INFINITY) return below.total;
  const share = (latencyS - below.upToS) / (above.upToS - below.upToS);
  return below.total + share * (above.total - below.total);
}
