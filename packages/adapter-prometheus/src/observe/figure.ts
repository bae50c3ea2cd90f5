/** A figure with its age. Only `fresh` has a value: a dead series never reads as 0. */
import type { SeriesSource } from '../series/watched-pipeline.js';

export type Figure =
  | { readonly kind: 'fresh'; readonly value: number; readonly ageMs: number; readonly source: SeriesSource }
  /** Series live, but no event in the window defines a mean or a latency. */
  | { readonly kind: 'idle'; readonly ageMs: number; readonly source: SeriesSource }
  /** Series live since less than two samples. */
  | { readonly kind: 'starting'; readonly ageMs: number; readonly source: SeriesSource }
  /** Series have ended; `lastAtEpochMs` is the time of their newest sample. */
  | {
      readonly kind: 'stale';
      readonly lastAtEpochMs: number;
      readonly ageMs: number;
      readonly source: SeriesSource;
      readonly metric: string;
    }
  /** No sample within the last hour. */
  | { readonly kind: 'absent'; readonly source: SeriesSource; readonly metric: string }
  /** The server gave no answer. */
  | { readonly kind: 'unknown'; readonly reason: string };

export const freshValue = (figure: Figure | undefined): number | undefined =>
  figure?.kind === 'fresh' ? figure.value : undefined;

const order: readonly Figure['kind'][] = ['fresh', 'idle', 'starting', 'stale', 'absent', 'unknown'];

/** The figure that says most; of equals, the first. */
export function bestFigure(figures: readonly Figure[]): Figure | undefined {
  return figures.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))[0];
}

/** A sentence for a status, such as `container_cpu_usage_seconds_total has ended 40 s ago (at 04:12:00Z)`. */
export function describeFigure(figure: Figure): string | undefined {
  if (figure.kind === 'stale') {
    const at = new Date(figure.lastAtEpochMs).toISOString().replace(/\.\d+Z$/, 'Z');
    return `no sample of ${figure.metric} since ${at}`;
  }
  if (figure.kind === 'absent') return `no sample of ${figure.metric} within the last hour`;
  return figure.kind === 'unknown' ? figure.reason : undefined;
}
