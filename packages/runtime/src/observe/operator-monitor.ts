/** What Prometheus reads of an operator of a cluster: whether it leads, what it follows, decides and fails at, and the process itself. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { MetricsPage } from '../net/answer.js';

/** Counts what an operator does. */
export class OperatorMonitor {
  /** How many pipelines are followed now. */
  pipelines: () => number = () => 0;
  readonly #registry = new Registry();
  readonly #leads: Gauge;
  readonly #decisions: Counter<'kind'>;
  readonly #failures: Counter<'of'>;
  readonly #shifting = new Set<string>();
  readonly #rollbacks: Counter;
  /** The last one of each pipeline that is known. */
  readonly #rolledBackAt = new Map<string, string | undefined>();

  constructor({ version }: { readonly version: string }) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    const build = { name: 'equipoise_build_info', help: 'Version of Equipoise; always 1.', labelNames: ['version'] };
    new Gauge({ ...build, registers }).set({ version }, 1);
    this.#leads = new Gauge({
      name: 'equipoise_operator_leads',
      help: 'Whether this one of the operators acts: 1 or 0.',
      registers,
    });
    const count = () => this.pipelines();
    new Gauge({
      name: 'equipoise_operator_pipelines',
      help: 'Pipelines that are followed.',
      registers,
      collect() {
        this.set(count());
      },
    });
    this.#decisions = new Counter({
      name: 'equipoise_operator_decisions_total',
      help: 'Decisions about all pipelines by kind.',
      labelNames: ['kind'],
      registers,
    });
    const shifting = () => this.#shifting.size;
    new Gauge({
      name: 'equipoise_operator_shifting_pipelines',
      help: 'Pipelines whose requests come to a new variant in steps just now.',
      registers,
      collect() {
        this.set(shifting());
      },
    });
    this.#rollbacks = new Counter({
      name: 'equipoise_operator_rollbacks_total',
      help: 'New variants that failed when they were tried and were taken back.',
      registers,
    });
    this.#failures = new Counter({
      name: 'equipoise_operator_failures_total',
      help: 'What failed and is tried again: a pass over a pipeline, watching a resource, the lease.',
      labelNames: ['of'],
      registers,
    });
  }

  get page(): MetricsPage {
    return { contentType: this.#registry.contentType, text: () => this.#registry.metrics() };
  }

  leads(isLeader: boolean): void {
    this.#leads.set(Number(isLeader));
    // From now on another one knows.
    if (isLeader) return;
    this.#shifting.clear();
    this.#rolledBackAt.clear();
  }

  decided(kind: string): void {
    this.#decisions.inc({ kind });
  }

  failed(of: 'pass' | 'watch' | 'lease'): void {
    this.#failures.inc({ of });
  }

  /** A pipeline is gone: it shifts no more, and what is made anew under its name begins anew. */
  gone(pipeline: string): void {
    this.#shifting.delete(pipeline);
    this.#rolledBackAt.delete(pipeline);
  }

  /**
   * What the status of a pipeline says after a pass: whether requests come to a variant in steps, and when one was taken back last. Gives
   * whether the latter is news; what was there when this operator began to act another one has told.
   */
  passed(
    pipeline: string,
    { isShifting, rolledBackAt }: { readonly isShifting: boolean; readonly rolledBackAt?: string },
  ): boolean {
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
}
