/**
 * Asks the series of an engine that walks the graph itself. Counters of a graph count from their first sample, so an
 * operator that restarts sees no burst. When series stop, the last known figures stay, and the signal is stale.
 */
import type { AlarmClock, PipelineSpec } from '@equipoise/core/model';
import type { EngineMetrics, EngineMetricsAnswer, EngineMetricsQuestion } from '@equipoise/core/ports';
import { objectName } from '../cluster/object-names.js';
import { wait } from '../cluster/wait.js';
import type { GraphEngine } from '../render/engines/targets.js';
import { BatchTotals } from './batch-totals.js';
import { RouterHistory } from './router-history.js';
import type { RouterPage } from './router-page.js';
import { SideCounts, type Sides } from './side-counts.js';
import type { SignalAge, SignalWatch, StaleSignal } from './signal-watch.js';

export interface EngineWatchDeps {
  readonly clock: AlarmClock;
  readonly nowEpochMs: () => number;
  readonly engineMetrics: EngineMetrics;
}

const EVERY_MS = 5_000;
/** Maximum wait for an answer. */
const ANSWER_MS = 4_000;
/** Age of stale samples before the source has named its scrape interval. */
const USUAL_STALE_MS = 30_000;

type Counters = Pick<RouterPage, 'arrivedTotal' | 'endedTotal' | 'withinSloTotal' | 'latencies'>;

const NOTHING: Counters = { arrivedTotal: 0, endedTotal: 0, withinSloTotal: 0, latencies: [] };

/** Names of the objects that walk the graph: the serving one, and that of a canary. */
const graphNamesOf = (pipeline: string): readonly [string, string] => [
  objectName(pipeline),
  objectName(pipeline, 'next'),
];

export class EngineWatch implements SignalWatch {
  readonly history: RouterHistory;
  /** Engines report no batches. */
  readonly batches = new BatchTotals();
  readonly #deps: EngineWatchDeps;
  readonly #engine: GraphEngine;
  readonly #namespace: string;
  readonly #spec: () => PipelineSpec;
  readonly #onRound: () => void;
  readonly #sides = new SideCounts();
  readonly #last = new Map<string, { readonly seen: Counters; readonly total: Counters }>();
  readonly #startedAtMs: number;
  #sampledAtMs: number | undefined;
  #staleAfterMs = USUAL_STALE_MS;
  #sidesAtMs: number;
  #canarySinceMs: number;
  #share = 0;
  #issue = 'no answer';

  /** `spec` is asked in each round; `heardAll` is called after each round. */
  constructor(
    base: EngineWatchDeps,
    { engine, namespace, spec }: { engine: GraphEngine; namespace: string; spec: () => PipelineSpec },
    heardAll: () => void,
  ) {
    this.#deps = base;
    this.#engine = engine;
    this.#namespace = namespace;
    this.#spec = spec;
    this.#onRound = heardAll;
    this.#startedAtMs = base.clock.nowMs();
    this.#sidesAtMs = this.#startedAtMs;
    this.#canarySinceMs = this.#startedAtMs;
    this.history = new RouterHistory(this.#startedAtMs);
  }

  /** Pods of an engine are not asked. */
  updatePods(): void {}

  get hasSignal(): boolean {
    return this.#sampledAtMs !== undefined && this.stale === undefined;
  }

  get willReport(): boolean {
    return this.stale === undefined;
  }

  get stale(): StaleSignal | undefined {
    const lastMs = this.#sampledAtMs ?? this.#startedAtMs;
    const ageMs = this.#deps.clock.nowMs() - lastMs;
    if (ageMs <= this.#staleAfterMs) return undefined;
    const [graph] = graphNamesOf(this.#spec().name);
    const since = new Date(this.#deps.nowEpochMs() - ageMs).toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      reason: 'MetricsMissing',
      source: `series of ${graph}`,
      message: `No fresh series of ${graph} since ${since}: ${this.#issue}. The last plan is kept.`,
    };
  }

  get ages(): readonly SignalAge[] {
    const [graph] = graphNamesOf(this.#spec().name);
    const atMs = this.#sampledAtMs;
    return [{ source: `series of ${graph}`, ...(atMs !== undefined && { ageMs: this.#deps.clock.nowMs() - atMs }) }];
  }

  /** Outcomes of both graphs since the canary got its share; undefined if a signal is stale. */
  get sides(): Sides | undefined {
    return this.hasSignal ? this.#sides.since(this.#canarySinceMs) : undefined;
  }

  get staleMs(): number {
    return this.sides === undefined ? this.#deps.clock.nowMs() - this.#sidesAtMs : 0;
  }

  /** Restarts the counts when the share of a canary changes, once a scrape shows the change. */
  noteShare(fraction: number): void {
    if (fraction === this.#share) return;
    this.#share = fraction;
    this.#canarySinceMs = this.#deps.clock.nowMs() + this.#staleAfterMs / 2;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const begunAtMs = this.#deps.clock.nowMs();
      await this.#ask(signal);
      if (signal.aborted) return;
      if (this.sides !== undefined) this.#sidesAtMs = this.#deps.clock.nowMs();
      this.#onRound();
      await wait(this.#deps.clock, Math.max(1, begunAtMs + EVERY_MS - this.#deps.clock.nowMs()), signal);
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    let stop = (): void => {};
    const ended = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
    });
    signal.addEventListener('abort', stop, { once: true });
    try {
      const answer = await Promise.race([this.#deps.engineMetrics.read(this.#question(), ANSWER_MS), ended]);
      if (answer !== undefined && !signal.aborted) this.#record(answer);
    } catch (error) {
      this.#issue = error instanceof Error ? error.message : String(error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #question(): EngineMetricsQuestion {
    const { name, stages, slo } = this.#spec();
    return {
      engine: this.#engine,
      namespace: this.#namespace,
      pipeline: name,
      graphs: graphNamesOf(name),
      stages: stages.flatMap(({ id, variants }) =>
        variants.map((variant) => ({
          stageId: id,
          variantId: variant.id,
          workload: objectName(name, id, variant.id),
        })),
      ),
      slo,
    };
  }

  #record({ staleAfterMs, graphs, missing }: EngineMetricsAnswer): void {
    const nowMs = this.#deps.clock.nowMs();
    const [serving, canary] = graphNamesOf(this.#spec().name);
    this.#staleAfterMs = staleAfterMs;
    const names = missing.map(({ series }) => series).join(', ');
    this.#issue = names === '' ? 'the samples are old' : `no samples of ${names}`;
    const sample = graphs.find(({ graph }) => graph === serving);
    if (sample === undefined) return;
    const sampledAtMs = nowMs - Math.max(0, sample.ageMs);
    if (sampledAtMs <= (this.#sampledAtMs ?? Number.NEGATIVE_INFINITY)) return;
    this.#sampledAtMs = sampledAtMs;
    const own = this.#totalOf(serving, sample);
    const other = graphs.find(({ graph }) => graph === canary);
    // Requests of an ended canary stay counted after its series: a total that falls reads as a restart of all counters.
    const theirs = other === undefined ? this.#last.get(canary)?.total : this.#totalOf(canary, other);
    // KServe's serving graph forwards to that of the canary, so it counts all requests.
    const isWhole = this.#engine === 'kserve';
    const whole = isWhole || theirs === undefined ? own : sum(own, theirs);
    this.history.addRouter(serving, this.#startedAtMs);
    this.history.addPage(serving, pageOf(whole), nowMs);
    const before = isWhole && theirs !== undefined ? difference(own, theirs) : own;
    this.#sides.addPage(serving, 'before', { ...before, passedOnTotal: theirs?.endedTotal ?? 0 }, nowMs);
    if (theirs !== undefined) this.#sides.addPage(canary, 'after', { ...theirs, passedOnTotal: 0 }, nowMs);
  }

  /** Growth of counters since their first sample. Restarted counters count from zero. */
  #totalOf(graph: string, seen: Counters): Counters {
    const last = this.#last.get(graph);
    const isRestarted = last !== undefined && seen.arrivedTotal < last.seen.arrivedTotal;
    const total = last === undefined ? NOTHING : sum(last.total, isRestarted ? seen : difference(seen, last.seen));
    this.#last.set(graph, { seen, total });
    return total;
  }
}

const pageOf = (counters: Counters): RouterPage => ({
  ...counters,
  passedOnTotal: 0,
  stages: {},
  latest: [],
  batches: [],
});

const sum = (a: Counters, b: Counters): Counters => combined(a, b, 1);
const difference = (a: Counters, b: Counters): Counters => combined(a, b, -1);

function combined(a: Counters, b: Counters, sign: 1 | -1): Counters {
  const bounds = [...new Set([...a.latencies, ...b.latencies].map(({ upToS }) => upToS))].toSorted((x, y) => x - y);
  const at = ({ latencies }: Counters, bound: number): number =>
    latencies.find(({ upToS }) => upToS === bound)?.count ?? 0;
  return {
    arrivedTotal: a.arrivedTotal + sign * b.arrivedTotal,
    endedTotal: a.endedTotal + sign * b.endedTotal,
    withinSloTotal: a.withinSloTotal + sign * b.withinSloTotal,
    latencies: bounds.map((upToS) => ({ upToS, count: at(a, upToS) + sign * at(b, upToS) })),
  };
}
