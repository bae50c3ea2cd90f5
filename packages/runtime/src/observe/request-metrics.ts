import { Counter, Gauge, type Registry } from 'prom-client';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { RequestEnd } from '../data-plane/request-end.js';
import type { RequestCounts } from '../data-plane/request-statistics.js';
import type { AnsweredCall } from '../net/call.js';
import { type RefusedKind, refusedKinds } from '../net/connection-limit.js';
import type { Exemplar } from '../net/open-metrics.js';
import type { SharedOutcome } from '../open-inference/traffic-share.js';
import { BucketExemplars } from './bucket-exemplars.js';
import { latencyBucketsSeconds } from './buckets.js';
import { CounterTally, HistogramTally } from './tallies.js';

const LONG_WINDOW_S = 10;
/** Time of the burn rate: as on the dashboard. */
const BURN_S = 300;
const DURATION = 'equipoise_request_duration_seconds';
const DURATION_HELP = 'Time from the arrival to the end of a completed request.';

export class RequestMetrics {
  readonly #registry: Registry;
  readonly #answers: CounterTally;
  readonly #shared: CounterTally;
  readonly #refusals: CounterTally;
  #exemplars: BucketExemplars | undefined;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#answers = new CounterTally(registry, {
      name: 'equipoise_answers_total',
      help: 'Answers by protocol and error code (OK: no error). Not counted: answers to probes, pages of metrics, and answers that another server gave (--share-with).',
      labelNames: ['protocol', 'code'],
    });
    this.#shared = new CounterTally(registry, {
      name: 'equipoise_shared_requests_total',
      help: 'Requests forwarded to another server (--share-with), by outcome: answered (by the other server), returned (this server answered instead) or abandoned (the client disconnected).',
      labelNames: ['outcome'],
    });
    this.#refusals = new CounterTally(registry, {
      name: 'equipoise_refusals_total',
      help: 'Refusals before a request was read, by what was refused: connection, stream (of HTTP/2), pipelined (request of HTTP/1.1) or calm (an HTTP/2 connection closed after many refused or wasted streams).',
      labelNames: ['of'],
    });
    for (const of of refusedKinds) this.#refusals.add(0, of);
    for (const outcome of ['answered', 'returned', 'abandoned'] as const) this.#shared.add(0, outcome);
  }

  shared(outcome: SharedOutcome): void {
    this.#shared.add(1, outcome);
  }

  refused(of: RefusedKind): void {
    this.#refusals.add(1, of);
  }

  answered({ protocol, code }: AnsweredCall): void {
    this.#answers.add(1, protocol, code);
  }

  watch(runner: PipelineRunner): void {
    const registry = this.#registry;
    this.#gauges(runner);
    watchArrivals(registry, runner);
    watchParts(registry, runner);
    watchSpans(registry, runner);
    const requests = new CounterTally(registry, {
      name: 'equipoise_requests_total',
      help: 'Finished requests, by outcome (completed, dropped, failed) and by the reason of a drop or the error code of a failure.',
      labelNames: ['outcome', 'reason'],
    });
    // Refusals of the start are earlier than the metrics.
    for (const [reason, count] of Object.entries(runner.statistics.total.dropped))
      if (count > 0) requests.add(count, 'dropped', reason);
    const withinSlo = new CounterTally(registry, {
      name: 'equipoise_requests_within_slo_total',
      help: 'Requests that completed within the latency of the SLO.',
      labelNames: [],
    });
    const buckets = latencyBucketsSeconds(runner.spec.slo.latencyMs);
    const durations = new HistogramTally(registry, { name: DURATION, help: DURATION_HELP, labelNames: [], buckets });
    const newest = new BucketExemplars(DURATION, buckets, { pipeline: runner.spec.name });
    this.#exemplars = newest;
    runner.onRequestEnd((end) => {
      requests.add(1, end.kind, reasonOf(end));
      if (end.kind !== 'completed') return;
      durations.observe(end.latencyMs / 1000);
      if (end.keptTraceId !== undefined) newest.note(end.keptTraceId, end.latencyMs / 1000);
      if (end.latencyMs <= runner.spec.slo.latencyMs) withinSlo.add(1);
    });
  }

  /** Kept traces of the newest requests, one for each bucket of the durations. */
  exemplars(): readonly Exemplar[] {
    return this.#exemplars?.all() ?? [];
  }

  #gauges(runner: PipelineRunner): void {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge('equipoise_ready', '1 if every stage has a replica in service and requests are accepted, otherwise 0.', () =>
      Number(runner.ready),
    );
    gauge('equipoise_requests_in_flight', 'Requests that have arrived but have not ended.', () => runner.inFlight);
    gauge(
      'equipoise_in_flight_bytes',
      'Bytes of the tensors of all requests in flight, with the outputs of their stages, and of the answers of items whose client batch is not yet complete.',
      () => runner.inFlightBytes,
    );
    gauge('equipoise_slo_latency_seconds', 'Latency of the SLO.', () => runner.spec.slo.latencyMs / 1000);
    gauge(
      'equipoise_slo_fraction',
      'Fraction of the requests that must be within the latency of the SLO.',
      () => runner.spec.slo.percentile / 100,
    );
    new Gauge({
      name: 'equipoise_error_budget_burn_rate',
      help: 'Fraction of the requests of the last five minutes that missed the SLO, divided by the fraction that may miss it: 1 spends exactly the error budget. Absent without requests.',
      registers,
      collect() {
        this.remove();
        const burnRate = burnRateOf(runner.statistics.recentSeconds(runner.nowMs, BURN_S), runner.spec.slo.percentile);
        if (burnRate !== undefined) this.set(burnRate);
      },
    });
    new Counter({
      name: 'equipoise_arrivals_total',
      help: 'Requests that arrived.',
      registers,
      collect() {
        this.reset();
        this.inc(runner.statistics.total.arrived);
      },
    });
  }
}

/** Undefined if no request ended. */
export function burnRateOf(seconds: readonly RequestCounts[], percentile: number): number | undefined {
  let [ended, withinSlo] = [0, 0];
  for (const { completed, failed, dropped, withinSlo: good } of seconds) {
    ended += completed + failed + Object.values(dropped).reduce((sum, count) => sum + count, 0);
    withinSlo += good;
  }
  return ended === 0 ? undefined : (1 - withinSlo / ended) / (1 - percentile / 100);
}

function reasonOf(end: RequestEnd): string {
  switch (end.kind) {
    case 'completed':
      return '';
    case 'dropped':
      return end.reason;
    case 'failed':
      return end.code.toLowerCase();
  }
}

function watchSpans(registry: Registry, { tracer }: PipelineRunner): void {
  new Counter({
    name: 'equipoise_spans_total',
    help: 'Spans of kept traces, by outcome: exported, or dropped because the queue was full (queue_full), the collector refused them (refused) or did not answer (unreachable). 0 without an exporter.',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      const { exported = 0, queueFull = 0, refused = 0, unreachable = 0 } = tracer?.spanCounts ?? {};
      const counts = { exported, queue_full: queueFull, refused, unreachable };
      for (const [outcome, count] of Object.entries(counts)) this.inc({ outcome }, count);
    },
  });
}

/** Metrics of several sources. */
function watchParts(registry: Registry, runner: PipelineRunner): void {
  const registers = [registry];
  const names = runner.spec.sources.length > 1 ? runner.spec.sources.map(({ name }) => name) : [];
  new Counter({
    name: 'equipoise_source_parts_total',
    help: 'Parts of several sources, by outcome: joined (the request began), unmatched (given up, because another part did not come), late, duplicate, dropped, or kept (the newest part of a source with a maximum age, where joined counts requests); and missing (requests that began without a part).',
    labelNames: ['source', 'outcome'],
    registers,
    collect() {
      this.reset();
      const { sources } = runner.partCounts;
      for (const [index, source] of names.entries())
        for (const [outcome, count] of Object.entries(sources[index] ?? {})) this.inc({ source, outcome }, count);
    },
  });
  new Gauge({
    name: 'equipoise_source_waiting_requests',
    help: 'Requests that wait for parts of other sources.',
    registers,
    collect() {
      this.set(runner.partCounts.waiting);
    },
  });
}

/** Metrics of arrival times, for a control loop in another process. */
export function watchArrivals(registry: Registry, runner: Pick<PipelineRunner, 'statistics' | 'nowMs'>): void {
  const registers = [registry];
  const labelNames = ['window_seconds'] as const;
  new Gauge({
    name: 'equipoise_arrivals_latest',
    help: 'Requests that arrived in the last quarter of a second, half second and second.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { windowS, arrivals } of runner.statistics.load(runner.nowMs).latest ?? [])
        this.set({ window_seconds: String(windowS) }, arrivals);
    },
  });
  new Gauge({
    name: 'equipoise_arrival_dispersion',
    help: 'Variance divided by mean of the number of arrivals in a window, over ten minutes. The windows are about as long as the latency of the SLO, or 10 s long. A Poisson process has 1. Absent until enough requests have arrived.',
    labelNames,
    registers,
    collect() {
      this.reset();
      const { burstiness } = runner.statistics.load(runner.nowMs);
      if (burstiness === undefined) return;
      this.set({ window_seconds: String(burstiness.sloMs / 1000) }, burstiness.dispersionAtSlo);
      this.set({ window_seconds: String(LONG_WINDOW_S) }, burstiness.dispersionAt10s);
    },
  });
}
