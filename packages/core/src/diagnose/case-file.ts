/** All that a diagnosis looks at: the measurements, the part with the harm, and an earlier part without, if any. */
import type { HistoryRows } from '../history/history-window.js';
import { HistoryWindow, STEP_MS } from '../history/history-window.js';
import type { ReplicaBlock } from '../history/replica-blocks.js';
import type { Decision } from '../model/decision.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { RunningPlan } from '../model/running-plan.js';
import { FALSE_ALARM, type Pairs } from './statistics.js';
import { extentOf, harmIn, type Misses, missedSpan, type Span, secondsOf, sumIn } from './symptoms.js';

/** `runningPlan`: what ran when it was decided. `isUnapplied`: its plan never came into force, like advice. */
export interface DatedDecision {
  readonly atEpochMs: number;
  readonly decision: Decision;
  readonly runningPlan?: RunningPlan;
  readonly isUnapplied?: boolean;
}

/**
 * Input of a diagnosis. `history` and `replicas` may begin before the window, for comparison. `spec`: as plans use it,
 * with the values of the pipeline file. `decisions`: oldest first, from the last one before the window.
 */
export interface DiagnosisInput {
  readonly fromEpochMs: number;
  readonly toEpochMs: number;
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly history: HistoryRows;
  readonly replicas: readonly ReplicaBlock[];
  readonly decisions: readonly DatedDecision[];
}

/** Comparison: the last seconds before the harm, up to two minutes; at least 15 s. */
const MOST_BEFORE_S = 120;
const LEAST_BEFORE_S = 15;
/** The cause precedes the harm by the time that queues need to grow. */
const GAP_S = 5;
export const BLOCK_S = 5;

export class CaseFile {
  readonly input: DiagnosisInput;
  readonly history: HistoryWindow;
  /** The window that was asked for, in seconds of the history. */
  readonly asked: Span;
  readonly allowedFraction: number;
  /** Worst part of the harm; all of the window if the SLO is met. */
  readonly episode: Span;
  /** All of the harm around its worst part; only that part if chance may explain the harm. */
  readonly extent: Span;
  readonly isHarmed: boolean;
  /** False if chance may explain the harm: then it counts only with a suspect. */
  readonly isCertain: boolean;
  /** True if the SLO is missed even without the requests that their clients spoiled. */
  readonly isHarmedWithoutClients: boolean;
  readonly before: Span | undefined;

  /** `isCalm`: the misses count as chance, and the window as one that meets the SLO. */
  constructor(input: DiagnosisInput, isCalm = false) {
    const history = new HistoryWindow(input.history);
    const seconds = Array.from({ length: history.length }, (_, i) => i);
    const within = seconds.filter(
      (at) => history.atEpochMs(at) > input.fromEpochMs && history.atEpochMs(at) <= input.toEpochMs,
    );
    this.input = input;
    this.history = history;
    this.asked = { from: within[0] ?? 0, to: (within.at(-1) ?? -1) + 1 };
    this.allowedFraction = 1 - input.spec.slo.percentile / 100;
    const slo = { latencyMs: input.spec.slo.latencyMs, allowedFraction: this.allowedFraction };
    const all = this.#misses(seconds, false);
    const missed = isCalm ? undefined : missedSpan(all, this.asked, slo);
    const withoutClients = this.#misses(seconds, true);
    const own = missed && missedSpan(withoutClients, this.asked, slo);
    this.isHarmed = missed !== undefined;
    this.isCertain = missed?.isCertain ?? false;
    this.isHarmedWithoutClients = own !== undefined;
    this.episode = own ?? missed ?? this.asked;
    const known = { from: 0, to: this.asked.to };
    this.extent = this.isCertain
      ? extentOf(own === undefined ? all : withoutClients, this.episode, known, this.allowedFraction)
      : this.episode;
    this.before = this.isHarmed ? this.#before(all) : undefined;
  }

  /**
   * Chance of a false alarm of a test of a suspect. If chance may explain the harm, the worst part was chosen among many,
   * so the chance is divided among them.
   */
  get alpha(): number {
    const parts = this.isHarmed && !this.isCertain ? (this.asked.to - this.asked.from) / BLOCK_S : 1;
    return FALSE_ALARM / Math.max(1, parts);
  }

  /** Spans that show the cause: the worst part of the harm, and all of it if it is mild and lasts. */
  get harmSpans(): readonly Span[] {
    const { episode, extent } = this;
    return extent.from === episode.from && extent.to === episode.to ? [episode] : [episode, extent];
  }

  get harm() {
    return harmIn(this.history, this.asked, this.allowedFraction);
  }

  epochMsOf(second: number): number {
    return this.history.atEpochMs(Math.min(second, this.history.length - 1));
  }

  get stageIds(): readonly StageId[] {
    return this.history.shape.stageIds;
  }

  /** Part of the asked window that the history has: a verdict says nothing about the rest. */
  get known(): Pick<DiagnosisInput, 'fromEpochMs' | 'toEpochMs'> {
    const { fromEpochMs, toEpochMs } = this.input;
    return {
      fromEpochMs: Math.max(fromEpochMs, this.epochMsOf(this.asked.from) - STEP_MS),
      toEpochMs: Math.min(toEpochMs, this.epochMsOf(this.asked.to - 1)),
    };
  }

  /** Sums of two figures in blocks of 5 s of a span. */
  pairs(span: Span, y: (second: number) => number, x: (second: number) => number): Pairs {
    const blocks = Math.max(1, Math.floor((span.to - span.from) / BLOCK_S));
    const length = (span.to - span.from) / blocks;
    return Array.from({ length: blocks }, (_, i) => {
      const block = { from: Math.round(span.from + i * length), to: Math.round(span.from + (i + 1) * length) };
      return [sumIn(block, y), sumIn(block, x)] as const;
    });
  }

  /** Blocks of replicas at a stage that began and ended within a span. */
  replicaBlocks(span: Span, stageId: StageId): readonly ReplicaBlock[] {
    const [fromMs, toMs] = [this.epochMsOf(span.from), this.epochMsOf(span.to - 1) + 1000];
    return this.input.replicas.filter(
      (block) =>
        block.stageId === stageId &&
        block.atEpochMs - 1000 * BLOCK_S >= fromMs - 2500 &&
        block.atEpochMs <= toMs + 2500,
    );
  }

  /** Last decision before the end of a span that has a value. */
  decided<Value>(span: Span, read: (decision: Decision) => Value | undefined): Value | undefined {
    const untilMs = this.epochMsOf(span.to - 1);
    for (const { atEpochMs, decision } of this.input.decisions.toReversed()) {
      const value = atEpochMs <= untilMs ? read(decision) : undefined;
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #misses(seconds: readonly number[], withoutClients: boolean): Misses {
    const spoiled = (at: number) => (withoutClients ? this.history.figure(at, 'clientMissed') : 0);
    return {
      missed: seconds.map((at) => Math.max(0, this.history.missed(at) - spoiled(at))),
      ended: seconds.map((at) => Math.max(0, this.history.ended(at) - spoiled(at))),
    };
  }

  /**
   * The last stretch of good seconds before the harm that is long enough: harm that comes now and then has good seconds in
   * between. Mild harm has no stretch of its own: its seconds are good, but its cause is already there.
   */
  #before({ missed, ended }: Misses): Span | undefined {
    const isGood = (at: number) => (missed[at] as number) <= 10 * this.allowedFraction * (ended[at] as number);
    const last = this.extent.from - GAP_S;
    const first = Math.max(0, last - MOST_BEFORE_S);
    for (let [from, to] = [last, last]; from > first; ) {
      if (isGood(from - 1)) from -= 1;
      else if (to - from >= LEAST_BEFORE_S) return { from, to };
      else [from, to] = [from - 1, from - 1];
      if (from <= first && to - from >= LEAST_BEFORE_S) return { from, to };
    }
    return undefined;
  }
}

export const meanIn = (span: Span, figure: (second: number) => number): number => {
  const known = secondsOf(span).map(figure).filter(Number.isFinite);
  return known.length === 0 ? Number.NaN : known.reduce((sum, each) => sum + each, 0) / known.length;
};
