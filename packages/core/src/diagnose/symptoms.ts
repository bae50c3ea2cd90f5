/**
 * Does the window miss the SLO, and when? Two tests, because misses come in clusters whose size is unknown. The first one
 * finds short outages: it counts clusters of as many requests as come within one SLO latency, because one full queue
 * delays them all. The second one measures the spread of the misses between blocks of seconds: it finds lasting harm that
 * hits only a part of the requests. Windows of several lengths are tested against the allowed fraction; the chance of a
 * false alarm is divided among them. If only the count of the whole window is above the allowed fraction, chance may be
 * the cause: then the harm is uncertain.
 */
import type { HistoryWindow } from '../history/history-window.js';
import type { Harm } from './incident-card.js';
import { FALSE_ALARM, logChange, type Pairs, poissonTail } from './statistics.js';

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
/** Blocks are much longer than the SLO latency, so they are nearly independent. */
const LEAST_BLOCK_S = 5;
const BLOCK_SLOS = 5;
/** A spread of fewer blocks says little. */
const FEWEST_BLOCKS = 8;

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

export interface MissedSpan extends Span {
  /** False if chance may explain the misses. */
  readonly isCertain: boolean;
}

/** Part of `span` with the most evidence of a miss of the SLO; undefined if the SLO is met. */
export function missedSpan(
  { missed, ended }: Misses,
  span: Span,
  slo: { readonly latencyMs: number; readonly allowedFraction: number },
): MissedSpan | undefined {
  const length = span.to - span.from;
  const requests = sumIn(span, (at) => ended[at] as number);
  if (length < 1 || requests === 0) return undefined;
  const cluster = Math.max(1, (requests / length) * (slo.latencyMs / 1000));
  const spans = [span, ...LENGTHS_S.filter((each) => each < length).flatMap((each) => slidingSpans(span, each))];
  const alpha = FALSE_ALARM / (2 * spans.length);
  const isCertain = spans.some((each) => {
    const [b, n] = [sumIn(each, (at) => missed[at] as number), sumIn(each, (at) => ended[at] as number)];
    if (b <= slo.allowedFraction * n) return false;
    if (poissonTail(b / cluster, (slo.allowedFraction * n) / cluster) < alpha) return true;
    const change = logChange(missesByBlock({ missed, ended }, each, slo), undefined, 2 * alpha);
    return change !== undefined && change.low > 0;
  });
  const fraction = sumIn(span, (at) => missed[at] as number) / requests;
  if (!isCertain && fraction <= slo.allowedFraction) return undefined;
  // Misses that chance may explain are few, and may come as long as their cause lasts.
  const suspected = isCertain ? 10 * slo.allowedFraction : fraction;
  return { ...worstSpan({ missed, ended }, span, { allowed: slo.allowedFraction, suspected }), isCertain };
}

/** Harm: misses are at least this much more frequent than the SLO allows. */
const HARM_FACTOR = 2;

/**
 * The harm around its worst part, within `span`: as far as frequent misses explain the seconds better than allowed ones do.
 * It ends where calm seconds are evidence enough against it. So it contains mild harm that lasts.
 */
export function extentOf({ missed, ended }: Misses, worst: Span, span: Span, allowed: number): Span {
  const high = Math.min((1 + allowed) / 2, HARM_FACTOR * allowed);
  const [onMiss, onHit] = [Math.log(high / allowed), Math.log((1 - high) / (1 - allowed))];
  const reach = (seconds: readonly number[], start: number): number => {
    let [sum, best, reached] = [0, 0, start];
    for (const at of seconds) {
      const b = missed[at] as number;
      sum += b * onMiss + ((ended[at] as number) - b) * onHit;
      if (sum > best) [best, reached] = [sum, at];
      if (sum < best + Math.log(FALSE_ALARM)) break;
    }
    return reached;
  };
  const earlier = secondsOf({ from: span.from, to: worst.from }).toReversed();
  const later = secondsOf({ from: worst.to, to: span.to });
  return { from: reach(earlier, worst.from), to: reach(later, worst.to - 1) + 1 };
}

/** Missed and allowed misses by block; empty if there are too few blocks. */
function missesByBlock(
  { missed, ended }: Misses,
  { from, to }: Span,
  slo: { readonly latencyMs: number; readonly allowedFraction: number },
): Pairs {
  const length = Math.max(LEAST_BLOCK_S, Math.ceil((BLOCK_SLOS * slo.latencyMs) / 1000));
  const count = Math.floor((to - from) / length);
  if (count < FEWEST_BLOCKS) return [];
  return Array.from({ length: count }, (_, i) => {
    const block = { from: from + i * length, to: i + 1 === count ? to : from + (i + 1) * length };
    return [
      sumIn(block, (at) => missed[at] as number),
      slo.allowedFraction * sumIn(block, (at) => ended[at] as number),
    ];
  });
}

function slidingSpans(span: Span, length: number): readonly Span[] {
  const step = Math.ceil(length / 3);
  const spans: Span[] = [];
  for (let from = span.from; from + length <= span.to; from += step) spans.push({ from, to: from + length });
  return spans;
}

/** Segment with the largest log likelihood ratio of a suspected miss rate (at most halfway to 1) against the allowed one. */
function worstSpan(
  { missed, ended }: Misses,
  span: Span,
  { allowed, suspected }: { readonly allowed: number; readonly suspected: number },
): Span {
  const high = Math.min((1 + allowed) / 2, suspected);
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
