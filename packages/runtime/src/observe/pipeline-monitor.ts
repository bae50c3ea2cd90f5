/**
 * All metrics of a pipeline that is served, as Prometheus reads them. The process has one monitor: that of the process itself (memory,
 * event loop, garbage collection) is among it.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LoopEvent } from '../loop/loop-event.js';
import type { MetricsPage } from '../net/answer.js';
import type { AnsweredCall } from '../net/call.js';
import type { SharedOutcome } from '../open-inference/traffic-share.js';
import type { DesiredReplicas } from './desired-replicas.js';
import { LoopMetrics } from './loop-metrics.js';
import { RequestMetrics } from './request-metrics.js';
import { type WatchedPipeline, watchStages } from './stage-metrics.js';
import { TenantMetrics } from './tenant-metrics.js';

/** What a metric is. */
export interface MetricDescription {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Beside `pipeline`, which all have. */
  readonly labels: readonly string[];
  readonly adminOnly: boolean;
}

/** Counts what happens to one pipeline. */
export class PipelineMonitor {
  readonly #registry = new Registry();
  readonly #tenantRegistry = new Registry();
  readonly #requests: RequestMetrics;
  readonly #loop: LoopMetrics;
  readonly #tenants: TenantMetrics;

  constructor({ pipelineName, version }: { readonly pipelineName: string; readonly version: string }) {
    for (const registry of [this.#registry, this.#tenantRegistry]) {
      registry.setDefaultLabels({ pipeline: pipelineName });
    }
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: 'equipoise_build_info',
      help: 'Version of Equipoise; always 1.',
      labelNames: ['version'],
      registers: [this.#registry],
    }).set({ version }, 1);
    this.#requests = new RequestMetrics(this.#registry);
    this.#loop = new LoopMetrics(this.#registry);
    this.#tenants = new TenantMetrics(this.#tenantRegistry);
  }

  /** For the serving port: nothing in it tells one tenant of another. */
  get servingPage(): MetricsPage {
    return { contentType: this.#registry.contentType, text: (names) => textOf(this.#registry, names) };
  }

  /** For the admin port: all there is. */
  get adminPage(): MetricsPage {
    return {
      contentType: this.#registry.contentType,
      text: async () => [await this.#registry.metrics(), await this.#tenantRegistry.metrics()].join(''),
    };
  }

  /** How many replicas the control loop wants. */
  get desiredReplicas(): DesiredReplicas {
    return this.#loop.desired;
  }

  /** Every metric of Equipoise itself that is registered, in the order of the page; `adminOnly` are those that the serving port has not. */
  describe(): readonly MetricDescription[] {
    return [this.#registry, this.#tenantRegistry].flatMap((registry) =>
      registry
        .getMetricsAsArray()
        .filter(({ name }) => name.startsWith('equipoise_'))
        .map((metric) => ({ ...described(metric), adminOnly: registry === this.#tenantRegistry })),
    );
  }

  /** Counts what the data plane does from now on. */
  watch(pipeline: WatchedPipeline): void {
    this.#requests.watch(pipeline.runner);
    watchStages(this.#registry, pipeline);
  }

  /** Takes note of what the control loop tells. */
  noteLoop(event: LoopEvent): void {
    this.#loop.note(event);
  }

  /** Takes note of a request that was passed on to another server. */
  shared(outcome: SharedOutcome): void {
    this.#requests.shared(outcome);
  }

  /** Takes note of an answer of the serving port. */
  answered(call: AnsweredCall): void {
    this.#requests.answered(call);
    this.#tenants.answered(call);
  }
}

/** The library keeps the kind and the labels of a metric on it, but not in its types. */
function described(metric: object): Omit<MetricDescription, 'adminOnly'> {
  const { name, help, labelNames } = metric as { readonly labelNames: readonly string[] } & MetricDescription;
  const type = metric instanceof Counter ? 'counter' : metric instanceof Histogram ? 'histogram' : 'gauge';
  return { name, type, help, labels: labelNames };
}

async function textOf(registry: Registry, names: readonly string[] | undefined): Promise<string> {
  if (names === undefined) return registry.metrics();
  const known = names.filter((name) => registry.getSingleMetric(name) !== undefined);
  const texts = await Promise.all(known.map((name) => registry.getSingleMetricAsString(name)));
  return texts.map((text) => `${text}\n`).join('');
}
