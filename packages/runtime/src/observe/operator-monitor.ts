/** Metrics of a cluster operator for Prometheus, including those of the process. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricsPage } from '../net/metrics-page.js';
import { described, type MetricDescription } from './pipeline-monitor.js';
import { collectProcessMetrics } from './process-metrics.js';

/** Status after a pass; `networkMs` by stage. `shard` is undefined without shards. */
export interface PassedStatus {
  readonly shard?: number | undefined;
  readonly isShifting: boolean;
  readonly rolledBackAt?: string;
  readonly networkMs?: Readonly<Record<string, number>> | undefined;
}

export interface OperatorMonitorOptions {
  readonly version: string;
  /** Default: 1. */
  readonly shards?: number;
}

/** Seconds. */
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class OperatorMonitor {
  pipelines: () => number = () => 0;
  readonly #registry = new Registry();
  readonly #leads: Gauge;
  readonly #leadsShard: Gauge<'shard'>;
  readonly #led = new Set<number | undefined>();
  readonly #decisions: Counter<'kind'>;
  readonly #failures: Counter<'of'>;
  readonly #queue: Histogram;
  readonly #pass: Histogram;
  readonly #requestWait: Histogram;
  readonly #network: Gauge<'pipeline' | 'stage'>;
  /** Shards of the pipelines that this operator leads. */
  readonly #shardOf = new Map<string, number | undefined>();
  /** Stages with a network time, by pipeline. */
  readonly #networkStages = new Map<string, readonly string[]>();
  readonly #shifting = new Set<string>();
  readonly #rollbacks: Counter;
  readonly #rolledBackAt = new Map<string, string | undefined>();

  constructor({ version, shards = 1 }: OperatorMonitorOptions) {
    const registers = [this.#registry];
    collectProcessMetrics(this.#registry);
    const build = {
      name: 'equipoise_build_info',
      help: 'Always 1; the label is the version of Equipoise.',
      labelNames: ['version'],
    };
    new Gauge({ ...build, registers }).set({ version }, 1);
    this.#leads = new Gauge({
      name: 'equipoise_operator_leads',
      help: '1 if this operator holds a lease and acts, otherwise 0.',
      registers,
    });
    this.#leadsShard = new Gauge({
      name: 'equipoise_operator_leads_shard',
      help: '1 for each shard of the pipelines that this operator leads; only with `--shards`.',
      labelNames: ['shard'],
      registers,
    });
    new Gauge({
      name: 'equipoise_operator_shards',
      help: 'Shards into which the operators divide the pipelines; 1 without `--shards`.',
      registers,
    }).set(shards);
    const count = () => this.pipelines();
    new Gauge({
      name: 'equipoise_operator_pipelines',
      help: 'Pipelines that the operator reconciles.',
      registers,
      collect() {
        this.set(count());
      },
    });
    this.#decisions = new Counter({
      name: 'equipoise_operator_decisions_total',
      help: 'Decisions about all pipelines, by kind.',
      labelNames: ['kind'],
      registers,
    });
    const shifting = () => this.#shifting.size;
    new Gauge({
      name: 'equipoise_operator_shifting_pipelines',
      help: 'Pipelines with an open canary.',
      registers,
      collect() {
        this.set(shifting());
      },
    });
    this.#rollbacks = new Counter({
      name: 'equipoise_operator_rollbacks_total',
      help: 'New variants that failed as a canary and were rolled back.',
      registers,
    });
    this.#network = new Gauge({
      name: 'equipoise_operator_network_seconds',
      help: 'Measured network time to a stage and back, which plans add to each batch.',
      labelNames: ['pipeline', 'stage'],
      registers,
    });
    this.#failures = new Counter({
      name: 'equipoise_operator_failures_total',
      help: 'Failures that the operator retries, by operation: a pass over a pipeline, a watch of a resource, or the lease.',
      labelNames: ['of'],
      registers,
    });
    const seconds = (name: string, help: string): Histogram =>
      new Histogram({ name: `equipoise_operator_${name}_seconds`, help, buckets: BUCKETS, registers });
    this.#queue = seconds('queue', 'Time that a pipeline waited for a pass, such as after a decision.');
    this.#pass = seconds('pass', 'Time of a pass over a pipeline, with its writes.');
    this.#requestWait = seconds(
      'request_wait',
      'Time that a request to the API server waited because too many others were under way.',
    );
  }

  get page(): MetricsPage {
    return { contentType: this.#registry.contentType, text: () => this.#registry.metrics() };
  }

  /** Metrics of the operator itself, without those of the process. */
  describe(): readonly MetricDescription[] {
    const own = this.#registry.getMetricsAsArray().filter(({ name }) => name.startsWith('equipoise_operator_'));
    return own.map((metric) => ({ ...described(metric), adminOnly: false }));
  }

  /** `shard` is undefined for all pipelines. */
  leads(isLeader: boolean, shard?: number): void {
    if (isLeader) this.#led.add(shard);
    else this.#led.delete(shard);
    this.#leads.set(Number(this.#led.size > 0));
    if (shard !== undefined && isLeader) this.#leadsShard.set({ shard }, 1);
    if (shard !== undefined && !isLeader) this.#leadsShard.remove({ shard });
    if (isLeader) return;
    // The next leader reports these pipelines.
    for (const [pipeline, led] of [...this.#shardOf]) if (led === shard) this.gone(pipeline);
  }

  decided(kind: string): void {
    this.#decisions.inc({ kind });
  }

  failed(of: 'pass' | 'watch' | 'lease'): void {
    this.#failures.inc({ of });
  }

  passTimed({ waitedMs, tookMs }: { readonly waitedMs: number; readonly tookMs: number }): void {
    this.#queue.observe(waitedMs / 1000);
    this.#pass.observe(tookMs / 1000);
  }

  requestWaited(waitedMs: number): void {
    this.#requestWait.observe(waitedMs / 1000);
  }

  gone(pipeline: string): void {
    this.#shardOf.delete(pipeline);
    this.#shifting.delete(pipeline);
    this.#rolledBackAt.delete(pipeline);
    this.#showNetwork(pipeline, {});
  }

  /** Records a status after a pass; true for a new roll-back. A roll-back in the first status is not new. */
  passed(pipeline: string, { shard, isShifting, rolledBackAt, networkMs = {} }: PassedStatus): boolean {
    this.#shardOf.set(pipeline, shard);
    this.#showNetwork(pipeline, networkMs);
    if (isShifting) this.#shifting.add(pipeline);
    else this.#shifting.delete(pipeline);
    const isNews =
      rolledBackAt !== undefined &&
      this.#rolledBackAt.has(pipeline) &&
      this.#rolledBackAt.get(pipeline) !== rolledBackAt;
    if (isNews) this.#rollbacks.inc();
    this.#rolledBackAt.set(pipeline, rolledBackAt);
    return isNews;
  }

  /** Shows the times of a pipeline, and no earlier ones: a series without a pipeline would stay forever. */
  #showNetwork(pipeline: string, networkMs: Readonly<Record<string, number>>): void {
    for (const stage of this.#networkStages.get(pipeline) ?? []) {
      if (networkMs[stage] === undefined) this.#network.remove({ pipeline, stage });
    }
    for (const [stage, ms] of Object.entries(networkMs)) this.#network.set({ pipeline, stage }, ms / 1000);
    const stages = Object.keys(networkMs);
    if (stages.length > 0) this.#networkStages.set(pipeline, stages);
    else this.#networkStages.delete(pipeline);
  }
}
