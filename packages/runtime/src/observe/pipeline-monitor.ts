/** All metrics of a served pipeline for Prometheus, including those of the process. One monitor per process. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LoopEvent } from '../loop/loop-event.js';
import type { AnsweredCall } from '../net/call.js';
import type { RefusedKind } from '../net/connection-limit.js';
import type { MetricsPage } from '../net/metrics-page.js';
import type { SharedOutcome } from '../open-inference/traffic-share.js';
import { watchAccuracy, watchAgreement } from './accuracy-metrics.js';
import type { DesiredReplicas } from './desired-replicas.js';
import { LoopMetrics } from './loop-metrics.js';
import { collectProcessMetrics } from './process-metrics.js';
import { RequestMetrics } from './request-metrics.js';
import { type WatchedPipeline, watchStages } from './stage-metrics.js';
import { CounterTally } from './tallies.js';

export interface MetricDescription {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Labels in addition to `pipeline`. */
  readonly labels: readonly string[];
  readonly adminOnly: boolean;
}

/** `desired`: of the same pipeline; its owner notes the events of the loop. */
export interface PipelineMonitorOptions {
  readonly pipelineName: string;
  readonly version: string;
  readonly desired: DesiredReplicas;
}

export class PipelineMonitor {
  readonly #registry = new Registry();
  readonly #tenantRegistry = new Registry();
  readonly #requests: RequestMetrics;
  readonly #loop: LoopMetrics;
  readonly #tenants: TenantMetrics;

  constructor({ pipelineName, version, desired }: PipelineMonitorOptions) {
    for (const registry of [this.#registry, this.#tenantRegistry]) {
      registry.setDefaultLabels({ pipeline: pipelineName });
    }
    collectProcessMetrics(this.#registry);
    new Gauge({
      name: 'equipoise_build_info',
      help: 'Always 1; the label is the version of Equipoise.',
      labelNames: ['version'],
      registers: [this.#registry],
    }).set({ version }, 1);
    this.#requests = new RequestMetrics(this.#registry);
    this.#loop = new LoopMetrics(this.#registry, desired);
    this.#tenants = new TenantMetrics(this.#tenantRegistry);
  }

  /** Page without metrics by tenant, because no tenant may read another tenant's metrics. */
  get servingPage(): MetricsPage {
    return {
      contentType: this.#registry.contentType,
      text: () => this.#registry.metrics(),
      exemplars: () => this.#requests.exemplars(),
    };
  }

  get adminPage(): MetricsPage {
    return {
      contentType: this.#registry.contentType,
      text: async () => [await this.#registry.metrics(), await this.#tenantRegistry.metrics()].join(''),
      exemplars: () => this.#requests.exemplars(),
    };
  }

  describe(): readonly MetricDescription[] {
    return [this.#registry, this.#tenantRegistry].flatMap((registry) =>
      registry
        .getMetricsAsArray()
        .filter(({ name }) => name.startsWith('equipoise_'))
        .map((metric) => ({ ...described(metric), adminOnly: registry === this.#tenantRegistry })),
    );
  }

  watch(pipeline: WatchedPipeline): void {
    this.#requests.watch(pipeline.runner);
    watchStages(this.#registry, pipeline);
    const { accuracy, agreement } = pipeline.runner;
    if (accuracy !== undefined) watchAccuracy(this.#registry, accuracy);
    if (agreement !== undefined) watchAgreement(this.#registry, agreement);
  }

  noteLoop(event: LoopEvent): void {
    this.#loop.note(event);
  }

  shared(outcome: SharedOutcome): void {
    this.#requests.shared(outcome);
  }

  refused(of: RefusedKind): void {
    this.#requests.refused(of);
  }

  answered(call: AnsweredCall): void {
    this.#requests.answered(call);
    this.#tenants.answered(call);
  }
}

/** Description of a metric; the library's types lack kind and labels. */
export function described(metric: object): Omit<MetricDescription, 'adminOnly'> {
  const { name, help, labelNames } = metric as { readonly labelNames: readonly string[] } & MetricDescription;
  const type = metric instanceof Counter ? 'counter' : metric instanceof Histogram ? 'histogram' : 'gauge';
  return { name, type, help, labels: labelNames };
}

class TenantMetrics {
  readonly #answers: CounterTally;

  constructor(registry: Registry) {
    this.#answers = new CounterTally(registry, {
      name: 'equipoise_tenant_answers_total',
      help: 'Answers by tenant and error code (OK: no error).',
      labelNames: ['tenant', 'code'],
    });
  }

  answered({ tenant, code }: AnsweredCall): void {
    if (tenant !== undefined) this.#answers.add(1, tenant, code);
  }
}
