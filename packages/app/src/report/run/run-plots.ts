/** Plots of a run over time: the pipeline, each stage, and the latency distribution. */
import type { LatencyBucket } from '@equipoise/core/history';
import type { AreaLayer, LineLayer, PlotAxis, PlotColor, PlotMark, PlotSpec } from '../plot/plot-spec.js';
import type { RunColumns } from './run-columns.js';
import type { RunPoint, RunRecord, RunStage } from './run-record.js';

export interface RunPlots {
  readonly run: RunRecord;
  readonly columns: RunColumns;
  readonly marks: readonly PlotMark[];
}

interface Line extends Omit<LineLayer, 'kind' | 'xs' | 'values'> {
  readonly of: (point: RunPoint) => number | null | undefined;
}

/** Lines with at least one known value. */
function lines({ columns }: RunPlots, wanted: readonly Line[]): readonly LineLayer[] {
  return wanted.flatMap(({ of, ...line }) => {
    const values = columns.of(of);
    return values.some((value) => value !== null) ? [{ kind: 'line', xs: columns.xs, values, ...line } as const] : [];
  });
}

const timeAxis = ({ columns }: RunPlots): PlotAxis => ({ scale: 'utc', domain: columns.domain });

function timePlot(plots: RunPlots, title: string, y: PlotAxis, wanted: readonly Line[]): PlotSpec {
  const marks = plots.marks.map(({ x, label }) => ({ x, label }));
  return { title, x: timeAxis(plots), y, layers: lines(plots, wanted), marks };
}

const totalOf = (drops: RunPoint['drops'] = {}): number => Object.values(drops).reduce((sum, rps) => sum + rps, 0);

/** Requests per second, with a flag for each change. */
export function loadPlot(plots: RunPlots): PlotSpec {
  const layers = lines(plots, [
    { name: 'arrivals', color: 'c1', isFilled: true, of: ({ arrivalRps }) => arrivalRps },
    { name: 'planned for', color: 'c2', isStep: true, isDashed: true, of: ({ forecastUpperRps }) => forecastUpperRps },
    {
      name: 'missed the SLO',
      color: 'bad',
      of: ({ lateRps, failedRps, drops }) =>
        lateRps === undefined && drops === undefined ? undefined : (lateRps ?? 0) + (failedRps ?? 0) + totalOf(drops),
    },
  ]);
  return {
    title: 'Load and changes of the plan',
    isWide: true,
    x: timeAxis(plots),
    y: { unit: 'requests per second' },
    layers,
    marks: plots.marks,
  };
}

const REASON_COLORS: readonly PlotColor[] = ['c5', 'c4', 'c6', 'c1', 'c7', 'c3', 'c8', 'c2'];

export function pipelinePlots(plots: RunPlots): readonly PlotSpec[] {
  const { slo, percentile, points } = plots.run;
  const latency = timePlot(plots, 'Latency', { unit: 'ms' }, [
    { name: 'p50', color: 'c4', of: ({ p50Ms }) => p50Ms },
    { name: `p${percentile}`, color: 'c1', of: ({ p99Ms }) => p99Ms },
  ]);
  const reasons = [...new Set(points.flatMap(({ drops = {} }) => Object.keys(drops)))].slice(0, REASON_COLORS.length);
  const all = [
    ...(latency.layers.length === 0 ? [] : [slo === undefined ? latency : withSlo(latency, slo.latencyMs)]),
    timePlot(plots, 'Missed requests', { unit: 'requests per second' }, [
      { name: 'late', color: 'warn', of: ({ lateRps }) => lateRps },
      { name: 'failed', color: 'bad', of: ({ failedRps }) => failedRps },
      ...reasons.map((reason, i) => ({
        name: reason,
        color: REASON_COLORS[i] ?? 'c3',
        of: ({ drops }: RunPoint) => drops && (drops[reason] ?? 0),
      })),
    ]),
    timePlot(plots, 'Accuracy of the pipeline', { isLoose: true }, [
      { name: 'accuracy', color: 'c5', isStep: true, of: ({ accuracy }) => accuracy },
    ]),
    timePlot(plots, 'Cores', {}, [
      { name: 'planned', unit: 'cores', color: 'c2', isStep: true, of: ({ cpuCores }) => cpuCores.planned },
      { name: 'busy', unit: 'cores', color: 'c1', isFilled: true, of: ({ cpuCores }) => cpuCores.used },
    ]),
    timePlot(plots, 'Cost', { unit: 'per hour' }, [
      { name: 'cost', color: 'c4', isStep: true, isFilled: true, of: ({ cost }) => cost },
    ]),
  ];
  return all.filter(({ layers }) => layers.length > 0);
}

function withSlo(plot: PlotSpec, latencyMs: number): PlotSpec {
  return { ...plot, layers: [...plot.layers, { kind: 'rule', name: 'SLO', color: 'bad', at: { y: latencyMs } }] };
}

const STATUSES = [
  ['ready', 'c4'],
  ['starting', 'c1'],
  ['draining', 'c3'],
  ['unhealthy', 'bad'],
] as const satisfies readonly (readonly [keyof RunStage['replicas'], PlotColor])[];

export function stagePlots(plots: RunPlots, id: string): readonly PlotSpec[] {
  const figure = (of: (stage: RunStage) => number | undefined) => (point: RunPoint) => {
    const stage = point.stages[id];
    return stage && of(stage);
  };
  const all = [
    replicaPlot(plots, id),
    timePlot(plots, `${id}: cores`, {}, [
      { name: 'cores', color: 'c2', isStep: true, isFilled: true, of: figure(({ cpuCores }) => cpuCores) },
    ]),
    timePlot(plots, `${id}: batches`, { unit: 'items' }, [
      { name: 'mean size', color: 'c1', of: figure(({ batchSize }) => batchSize) },
      { name: 'limit', color: 'c3', isStep: true, isDashed: true, of: figure(({ batchLimit }) => batchLimit) },
    ]),
    timePlot(plots, `${id}: queue`, { unit: 'items' }, [
      { name: 'waiting', color: 'c5', isFilled: true, of: figure(({ queueLength }) => queueLength) },
    ]),
    timePlot(plots, `${id}: drops`, { unit: 'items per second' }, [
      { name: 'dropped', color: 'bad', isFilled: true, of: figure(({ droppedRps }) => droppedRps) },
    ]),
    timePlot(plots, `${id}: wait and service`, { unit: 'p99, ms' }, [
      { name: 'p99', color: 'c1', unit: 'ms', of: figure(({ p99Ms }) => p99Ms) },
    ]),
  ];
  return all.filter(({ layers }) => layers.length > 0);
}

function replicaPlot(plots: RunPlots, id: string): PlotSpec {
  const { columns } = plots;
  let low = columns.of(({ stages }) => (stages[id] ? 0 : undefined));
  const layers = STATUSES.flatMap(([status, color]): readonly AreaLayer[] => {
    const values = columns.of(({ stages }) => stages[id]?.replicas[status]);
    if (status !== 'ready' && !values.some((value) => value)) return [];
    const high = values.map((value, i) => (value === null ? null : value + (low[i] ?? 0)));
    const layer = {
      kind: 'area',
      name: status,
      color,
      xs: columns.xs,
      values,
      low,
      high,
      isSolid: true,
      isStep: true,
    } as const;
    low = high;
    return [layer];
  });
  const marks = plots.marks.map(({ x, label }) => ({ x, label }));
  return { title: `${id}: replicas`, x: timeAxis(plots), y: {}, layers, marks };
}

/** Percentages of completed requests by latency, and those that are slower. Empty without latencies. */
export function latencyPlots(latencies: readonly LatencyBucket[], sloMs: number | undefined): readonly PlotSpec[] {
  const total = latencies.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return [];
  const first = latencies[0]?.upToMs ?? 1;
  const ratio = latencies[1] === undefined ? 1.09 : latencies[1].upToMs / first;
  const slo = sloMs === undefined ? [] : ([{ kind: 'rule', name: 'SLO', color: 'bad', at: { x: sloMs } }] as const);
  const x: PlotAxis = { label: 'latency', unit: 'ms', scale: 'log' };
  const bars = latencies
    .filter(({ count }) => count > 0)
    .map(({ upToMs, count }) => {
      const [from, value] = [upToMs / ratio, (100 * count) / total];
      const tip = `${msOf(from)} to ${msOf(upToMs)} ms\nrequests\t${count} (${shareOf(value)} %)`;
      return { from, to: upToMs, value, tip };
    });
  let slower = total;
  const tail = latencies.map(({ upToMs, count }) => {
    slower -= count;
    return [upToMs, (100 * slower) / total] as const;
  });
  const kept = [[first / ratio, 100] as const, ...tail.filter(([, share]) => share > 0)];
  return [
    {
      ...{ title: 'Latency distribution', x, y: { unit: '% of requests' } },
      layers: [{ kind: 'bars', name: 'requests', color: 'c1', bars }, ...slo],
    },
    {
      ...{ title: 'Slower requests', x, y: { unit: '% slower than', scale: 'log' } },
      layers: [
        {
          ...{ kind: 'line', name: 'slower', color: 'c1', unit: '%' },
          ...{ xs: kept.map(([ms]) => ms), values: kept.map(([, share]) => share) },
        },
        ...slo,
      ],
    },
  ];
}

const msOf = (ms: number): string => String(Number(ms.toPrecision(3)));
const shareOf = (share: number): string => String(Number(share.toPrecision(2)));

/** Upper end of the bucket with this quantile, in ms; undefined without latencies. */
export function quantileMs(latencies: readonly LatencyBucket[], fraction: number): number | undefined {
  const total = latencies.reduce((sum, { count }) => sum + count, 0);
  let seen = 0;
  for (const { upToMs, count } of latencies) {
    seen += count;
    if (seen > 0 && seen >= fraction * total) return upToMs;
  }
  return undefined;
}
