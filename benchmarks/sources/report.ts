/** Bars and page of the figures of two sources. */
import { atLeast, atMost, type Bar, told } from '../data-plane/bar.js';
import type { SourcesFigures, SourcesQuestion } from './served-sources.js';

const MOST_COUNT_ERROR = 0.1;
const MOST_P99_ERROR = 0.2;

/** `isLong`: the run is long enough for shares and percentiles. */
export function sourcesBars(figures: SourcesFigures, { isLong }: { readonly isLong: boolean }): readonly Bar[] {
  const { served, simulated, scanShare, p99Ms } = figures;
  const bars = [
    atLeast('plan changes', figures.changes, 0, 2),
    atMost('parts and requests that are not accounted for', figures.unaccounted, 0, 0),
    atLeast('parts that came late', served[1]?.late ?? 0, 0, 1),
    atLeast('requests without a scan', served[1]?.missing ?? 0, 0, 1),
    atLeast('scans without a letter', served[1]?.unmatched ?? 0, 0, 1),
  ];
  if (!isLong) return bars;
  const countError = (source: number, kind: 'joined' | 'missing' | 'late') =>
    relative(served[source]?.[kind] ?? 0, simulated[source]?.[kind] ?? 0);
  return [
    ...bars,
    atMost('error of the joined letters, relative to those injected', countError(0, 'joined'), 3, MOST_COUNT_ERROR),
    atMost('error of the joined scans', countError(1, 'joined'), 3, MOST_COUNT_ERROR),
    atMost('error of the missing scans', countError(1, 'missing'), 3, MOST_COUNT_ERROR),
    atMost('error of the late scans', countError(1, 'late'), 3, MOST_COUNT_ERROR),
    atMost('error of the counted share of scans', relative(scanShare.counted, scanShare.injected), 3, MOST_COUNT_ERROR),
    atMost('error of the learned share of scans', relative(scanShare.learned, scanShare.injected), 3, MOST_COUNT_ERROR),
    atMost('error of the simulated p99', relative(p99Ms.simulated, p99Ms.served), 3, MOST_P99_ERROR),
    told('p99 served, simulated (ms)', `${p99Ms.served.toFixed(0)}, ${p99Ms.simulated.toFixed(0)}`),
    told('requests served, simulated', `${figures.requests.served}, ${figures.requests.simulated}`),
  ];
}

const relative = (value: number, reference: number): number =>
  reference === 0 ? Number.POSITIVE_INFINITY : Math.abs(value / reference - 1);

export function sourcesReport(figures: SourcesFigures, question: SourcesQuestion, madeOn: string): string {
  const { durationS, arrivalRps, changeEveryS, seed } = question;
  const bars = sourcesBars(figures, { isLong: true });
  const columns = ['joined', 'missing', 'unmatched', 'late', 'duplicate', 'dropped'] as const;
  const counts = (name: string, of: SourcesFigures['served']) =>
    ['letter', 'scan'].map((source, i) => `| ${source}, ${name} | ${columns.map((c) => of[i]?.[c]).join(' | ')} |`);
  return `# Two sources with late and missing parts

${durationS} s at ${arrivalRps} requests per second, seed ${seed}; the plan changes every ${changeEveryS} s. ${madeOn}

| figure | value | bar | |
|---|---|---|---|
${bars.map(({ claim, figure, bar, met }) => `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`).join('\n')}

| parts | ${columns.join(' | ')} |
|---|${columns.map(() => '---').join('|')}|
${[...counts('served', figures.served), ...counts('simulated', figures.simulated)].join('\n')}
`;
}
