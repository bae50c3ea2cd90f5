/**
 * Does the window miss the SLO, and when? Requests within one SLO latency share their fate, because one full queue
 * delays them all. So the test counts clusters of that many requests, not requests. Windows of several lengths are
 * tested against the allowed fraction; the chance of a false alarm is divided among them.
 */
import type { HistoryWindow } from '../history/history-window.js';
import type { Harm } from './incident-card.js';
import { FALSE_ALARM, poissonTail } from './statistics.js';

/** Seconds from `from` (inclusive) to `to` (exclusive). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Missed and ended requests by second. */
export interface Misses {
  readonly missed: readonly number[];
  readonly ended: readonly number[];
}

const LENGTHS_S = [15, 60];

export const secondsOf = ({ from, to }: Span): readonly number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

export function sumIn(span: Span, figure: (second: number) => number): number {
  let sum = 0;
  for (let second = span.from; second < span.to; second++) sum += figure(second);
  return sum;
}

export function harmIn(window: HistoryWindow, span: Span, allowedFraction: number): Harm {
  const sum = (figure: (second: number) => number) => sumIn(span, figure);
  const [requests, missed] = [sum((at) => window.ended(at)), sum((at) => window.missed(at))];
  const [failed, late] = [sum((at) => window.figure(at, 'failed')), sum((at) => window.figure(at, 'late'))];
  const missedFraction = requests > 0 ? missed / requests : 0;
  return { requests, missed, dropped: missed - failed - late, failed, late, missedFraction, allowedFraction };
}

/** Part of `span` with the most evidence of a miss of the SLO; undefined if the SLO is met. */
export function missedSpan(
  { missed, ended }: Misses,
  span: Span,
  slo: { readonly latencyMs: number; readonly allowedFraction: number },
): Span | undefined {
  const length = span.to - span.from;
  const requests = sumIn(span, (at) => ended[at] as number);
  if (length < 1 || requests === 0) return undefined;
  const cluster = Math.max(1, (requests / length) * (slo.latencyMs / 1000));
  const spans = [span, ...LENGTHS_S.filter((each) => each < length).flatMap((each) => slidingSpans(span, each))];
  const alpha = FALSE_ALARM / spans.length;
  const isMissed = spans.some((each) => {
    const [b, n] = [sumIn(each, (at) => missed[at] as number), sumIn(each, (at) => ended[at] as number)];
    return b > slo.allowedFraction * n && poissonTail(b / cluster, (slo.allowedFraction * n) / cluster) < alpha;
  });
  return isMissed ? worstSpan({ missed, ended }, span, slo.allowedFraction) : undefined;
}

function slidingSpans(span: Span, length: number): readonly Span[] {
  const step = Math.ceil(length / 3);
  const spans: Span[] = [];
  for (let from = span.from; from + length <= span.to; from += step) spans.push({ from, to: from + length });
  return spans;
}

/** Segment with the largest log likelihood ratio of a tenfold miss rate (at most halfway to 1) against the allowed one. */
function worstSpan({ missed, ended }: Misses, span: Span, allowed: number): Span {
  const high = Math.min((1 + allowed) / 2, 10 * allowed);
  const [onMiss, onHit] = [Math.log(high / allowed), Math.log((1 - high) / (1 - allowed))];
  let [best, sum, from] = [{ score: Number.NEGATIVE_INFINITY, from: span.from, to: span.to }, 0, span.from];
  for (let at = span.from; at < span.to; at++) {
    const [b, n] = [missed[at] as number, ended[at] as number];
    if (sum <= 0) [sum, from] = [0, at];
    sum += b * onMiss + (n - b) * onHit;
    if (sum > best.score) best = { score: sum, from, to: at + 1 };
  }
  return { from: best.from, to: best.to };
}
