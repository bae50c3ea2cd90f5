/**
 * Metrics of the process: those of prom-client, with another measurement of the event loop. Theirs wakes the serving
 * thread a hundred times per second, which takes 0.5 % of its time at 2,000 requests per second.
 */
import { createHistogram, type Histogram } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

export const LAG_SAMPLE_MS = 100;
/** The timer of prom-client cannot be left out, but it need not ring. */
const NEVER_MS = 2 ** 31 - 1;
const LAG = 'nodejs_eventloop_lag';
const NANOS_PER_MS = 1e6;
const NANOS_PER_SECOND = 1e9;

/** Adds the metrics to the registry, under the names of prom-client. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  for (const { name } of registry.getMetricsAsArray()) if (name.startsWith(LAG)) registry.removeSingleMetric(name);
  const lag = new EventLoopLag(registry, performance.now());
  setInterval(() => lag.sample(performance.now()), LAG_SAMPLE_MS).unref();
}

/** Figures of the lateness since the page before; their names and texts are those of prom-client. */
const FIGURES: readonly (readonly [suffix: string, help: string, nanos: (late: Histogram) => number])[] = [
  ['min', 'The minimum recorded event loop delay.', (late) => late.min],
  ['max', 'The maximum recorded event loop delay.', (late) => late.max],
  ['mean', 'The mean of the recorded event loop delays.', (late) => late.mean],
  ['stddev', 'The standard deviation of the recorded event loop delays.', (late) => late.stddev],
  ['p50', 'The 50th percentile of the recorded event loop delays.', (late) => late.percentile(50)],
  ['p90', 'The 90th percentile of the recorded event loop delays.', (late) => late.percentile(90)],
  ['p99', 'The 99th percentile of the recorded event loop delays.', (late) => late.percentile(99)],
];

/** Lateness of a timer of `LAG_SAMPLE_MS`. */
export class EventLoopLag {
  readonly #late = createHistogram();
  #newestNanos = 0;
  #sampledAtMs: number;

  constructor(registry: Registry, nowMs: number) {
    this.#sampledAtMs = nowMs;
    const registers = [registry];
    const newestSeconds = () => this.#newestNanos / NANOS_PER_SECOND;
    const setFigures = () => this.#setFigures(figures);
    // A page collects its metrics in their order, and this one sets all figures.
    new Gauge({
      name: `${LAG}_seconds`,
      help: 'Lag of event loop in seconds.',
      registers,
      collect() {
        this.set(newestSeconds());
        setFigures();
      },
    });
    const figures = FIGURES.map(([suffix, help]) => new Gauge({ name: `${LAG}_${suffix}_seconds`, help, registers }));
  }

  sample(nowMs: number): void {
    const lateMs = nowMs - this.#sampledAtMs - LAG_SAMPLE_MS;
    this.#sampledAtMs = nowMs;
    // A histogram takes no 0.
    this.#newestNanos = Math.max(1, Math.round(lateMs * NANOS_PER_MS));
    this.#late.record(this.#newestNanos);
  }

  /** Between two samples, a page has the figures of the page before. */
  #setFigures(gauges: readonly Gauge[]): void {
    if (this.#late.count === 0) return;
    for (const [index, [, , nanos]] of FIGURES.entries()) gauges[index]?.set(nanos(this.#late) / NANOS_PER_SECOND);
    this.#late.reset();
  }
}
