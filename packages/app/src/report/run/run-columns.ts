/** Columns of numbers over time, with gaps where nothing was recorded. */
import type { RunPoint, RunRecord } from './run-record.js';

export interface RunColumns {
  /** Seconds since 1970; the same array for all columns. */
  readonly xs: readonly number[];
  readonly domain: readonly [number, number];
  of(figure: (point: RunPoint) => number | null | undefined): readonly (number | null)[];
}

/** A longer time between points, in usual intervals, is a gap. */
const GAP = 4;

export function runColumns(points: readonly RunPoint[]): RunColumns {
  const step = medianStepS(points);
  const rows: { readonly x: number; readonly point?: RunPoint }[] = [];
  for (const point of points) {
    const x = point.atEpochMs / 1000;
    const before = rows.at(-1)?.x;
    if (before !== undefined && step > 0 && x - before > GAP * step) rows.push({ x: before + step });
    rows.push({ x, point });
  }
  const xs = rows.map(({ x }) => x);
  const [first = 0, last = 1] = [xs[0], xs.at(-1)];
  return {
    xs,
    domain: last > first ? [first, last] : [first - 0.5, first + 0.5],
    of: (figure) =>
      rows.map(({ point }) => {
        const value = point === undefined ? null : figure(point);
        return value === undefined || value === null || !Number.isFinite(value) ? null : value;
      }),
  };
}

function medianStepS(points: readonly RunPoint[]): number {
  const steps = points.slice(1).map(({ atEpochMs }, i) => (atEpochMs - (points[i] as RunPoint).atEpochMs) / 1000);
  return steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
}

/** At most `most` points: means of rates, maxima of latencies and queues, the last value of all else. */
export function thinned({ points }: Pick<RunRecord, 'points'>, most: number): readonly RunPoint[] {
  const per = Math.ceil(points.length / most);
  if (per <= 1) return points;
  const groups = Array.from({ length: Math.ceil(points.length / per) }, (_, i) => points.slice(i * per, (i + 1) * per));
  return groups.map(merged);
}

function merged(group: readonly RunPoint[]): RunPoint {
  const last = group.at(-1) as RunPoint;
  const known = (of: (point: RunPoint) => number | null | undefined) =>
    group.map(of).filter((value) => typeof value === 'number');
  const mean = (of: (point: RunPoint) => number | null | undefined) => {
    const values = known(of);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const most = (of: (point: RunPoint) => number | null | undefined) => {
    const values = known(of);
    return values.length === 0 ? null : values.reduce((largest, value) => Math.max(largest, value));
  };
  const reasons = [...new Set(group.flatMap(({ drops = {} }) => Object.keys(drops)))];
  const used = mean(({ cpuCores }) => cpuCores.used);
  const rates = { completedRps: 1, lateRps: 1, failedRps: 1 } as const;
  return {
    ...last,
    arrivalRps: mean(({ arrivalRps }) => arrivalRps) ?? 0,
    ...Object.fromEntries(
      Object.keys(rates).flatMap((name) => {
        const value = mean((point) => point[name as keyof typeof rates]);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    drops: Object.fromEntries(reasons.map((reason) => [reason, mean(({ drops = {} }) => drops[reason] ?? 0) ?? 0])),
    p50Ms: most(({ p50Ms }) => p50Ms),
    p99Ms: most(({ p99Ms }) => p99Ms),
    cpuCores: { ...last.cpuCores, ...(used !== undefined && { used }) },
    stages: Object.fromEntries(
      Object.entries(last.stages).map(([id, stage]) => [
        id,
        {
          ...stage,
          droppedRps: mean(({ stages }) => stages[id]?.droppedRps) ?? 0,
          queueLength: most(({ stages }) => stages[id]?.queueLength) ?? 0,
        },
      ]),
    ),
  };
}
