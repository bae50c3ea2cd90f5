/** The time series of the overview. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { HistoryPoint } from '../api/answers.js';
import { clockText, digits, reasonText } from '../format/figures.js';
import { budgetLeft, HOUR_MS, type MissTotals } from '../state/history.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { dropReasons, lastPoints } from '../state/series.js';
import { Chart, type ChartSeries } from './chart.js';
import { Banner, Notice } from './notice.js';

const RANGES = [
  { name: '5 min', ms: 300_000 },
  { name: '15 min', ms: 900_000 },
  { name: '1 h', ms: HOUR_MS },
] as const;

const MOST_REASONS = 4;

export function Charts({ state }: { readonly state: PipelineState }) {
  const chosenMs = useSignal<number>(300_000);
  const all = state.history.value;
  const slo = state.facts.value?.slo;
  const budget = state.facts.value?.budget;
  const atEpochMs = state.replayAt.value;
  // A replayed moment is always in sight.
  const isBefore = atEpochMs !== undefined && atEpochMs < (all.at(-1)?.atEpochMs ?? 0) - chosenMs.value;
  const rangeMs = isBefore ? HOUR_MS : chosenMs.value;
  const points = useMemo(() => lastPoints(all, rangeMs), [all, rangeMs]);
  if (state.historyOffer.value === 'missing') {
    return (
      <section class="panel">
        <h2>Last hour</h2>
        <Notice kind="empty" title="This server keeps no history">
          <p>It is older than this page. The figures above are live; time series need a newer server.</p>
        </Notice>
      </section>
    );
  }
  if (all.length < 2) {
    return (
      <section class="panel">
        <h2>Last hour</h2>
        <Notice kind="loading" title="Waiting for the first points" />
      </section>
    );
  }
  const { latencyMs = 0, percentile = 99 } = slo ?? {};
  const failure = state.historyFailure.value;
  const shown: Shown = { points, atEpochMs };
  return (
    <section class="panel" aria-label="Time series">
      <div class="panel-head">
        <h2>Last {RANGES.find(({ ms }) => ms === rangeMs)?.name}</h2>
        <fieldset class="modes">
          <legend class="hidden">Time range</legend>
          {RANGES.map(({ name, ms }) => (
            <button key={ms} type="button" aria-pressed={rangeMs === ms} onClick={() => (chosenMs.value = ms)}>
              {name}
            </button>
          ))}
        </fieldset>
      </div>
      {failure !== undefined && (
        <Banner kind="warn">
          <strong>The time series cannot be read.</strong> {failureText(failure)} They end at{' '}
          {clockText(points.at(-1)?.atEpochMs ?? 0)}.
        </Banner>
      )}
      <div class="charts">
        <Arrivals {...shown} />
        <Latency {...shown} sloMs={latencyMs} percentile={percentile} />
        <Misses {...shown} />
        <Cores {...shown} most={budget?.cpuCores} />
        <Accuracy {...shown} />
        <Cost {...shown} most={budget?.costPerHour} />
        <Budget points={all} atEpochMs={atEpochMs} totals={state.missTotals.value} percentile={percentile} />
      </div>
    </section>
  );
}

interface Shown {
  readonly points: readonly HistoryPoint[];
  readonly atEpochMs: number | undefined;
}

const ARRIVALS: readonly ChartSeries[] = [
  { label: 'arrivals', color: 'c1', of: ({ arrivalRps }) => arrivalRps },
  { label: 'forecast', color: 'c2', of: ({ forecastRps }) => forecastRps },
  { label: 'upper bound', color: 'c2', isDashed: true, width: 1, of: ({ forecastUpperRps }) => forecastUpperRps },
];

function Arrivals(shown: Shown) {
  return <Chart title="Arrivals" unit="req/s" {...shown} format={digits} series={ARRIVALS} band={[2, 3]} />;
}

/** Line of a limit; none without a limit. */
const limitLine = (label: string, limit: number | undefined): readonly ChartSeries[] =>
  limit === undefined ? [] : [{ label, color: 'bad', isDashed: true, width: 1, of: () => limit }];

function Latency({ sloMs, percentile, ...shown }: Shown & { readonly sloMs: number; readonly percentile: number }) {
  const series = useMemo(
    (): readonly ChartSeries[] => [
      { label: 'p50', color: 'c3', of: ({ p50Ms }) => p50Ms },
      { label: 'p99', color: 'c1', of: ({ p99Ms }) => p99Ms },
      ...limitLine('SLO', sloMs),
    ],
    [sloMs],
  );
  return <Chart title="Latency" unit={`ms, goal p${percentile}`} {...shown} format={digits} series={series} />;
}

function Misses(shown: Shown) {
  const reasons = useMemo(() => dropReasons(shown.points).slice(0, MOST_REASONS), [shown.points]);
  const key = reasons.join();
  const series = useMemo(
    (): readonly ChartSeries[] => [
      { label: 'late', color: 'c2', of: ({ lateRps }) => lateRps },
      { label: 'failed', color: 'bad', of: ({ failedRps }) => failedRps },
      ...reasons.map((reason, index) => ({
        label: reasonText(reason),
        color: ['c1', 'c3', 'c4', 'c5'][index] ?? 'c1',
        of: ({ drops }: HistoryPoint) => drops[reason] ?? 0,
      })),
    ],
    [key],
  );
  return <Chart title="Late, failed, dropped" unit="req/s" {...shown} format={digits} most={0.5} series={series} />;
}

function Cores({ most, ...shown }: Shown & { readonly most: number | undefined }) {
  const series = useMemo(
    (): readonly ChartSeries[] => [
      { label: 'used', color: 'c1', isFilled: true, of: ({ cpuCores }) => cpuCores.used },
      { label: 'planned', color: 'c3', of: ({ cpuCores }) => cpuCores.planned },
      ...limitLine('budget', most),
    ],
    [most],
  );
  return <Chart title="CPU" unit="cores" {...shown} format={digits} series={series} />;
}

const hundredths = (value: number): string => value.toFixed(2);

const ACCURACY: readonly ChartSeries[] = [{ label: 'accuracy', color: 'c4', width: 2, of: ({ accuracy }) => accuracy }];

function Accuracy(shown: Shown) {
  return (
    <Chart title="Accuracy" unit="of the running plan" {...shown} most={1} format={hundredths} series={ACCURACY} />
  );
}

function Cost({ most, ...shown }: Shown & { readonly most: number | undefined }) {
  const series = useMemo(
    (): readonly ChartSeries[] => [
      { label: 'cost', color: 'c5', width: 2, of: ({ cost }) => cost },
      ...limitLine('budget', most),
    ],
    [most],
  );
  return <Chart title="Cost" unit="per hour" {...shown} format={hundredths} series={series} />;
}

function Budget({
  totals,
  percentile,
  ...shown
}: Shown & { readonly totals: MissTotals; readonly percentile: number }) {
  const series = useMemo(
    (): readonly ChartSeries[] => [
      {
        ...{ label: 'left', color: 'ok', isFilled: true },
        of: (_, at) => 100 * budgetLeft(totals, percentile, at),
      },
    ],
    [totals, percentile],
  );
  return (
    <Chart
      title="Error budget"
      unit="% of the last hour"
      {...shown}
      least={-100}
      most={100}
      format={digits}
      series={series}
    />
  );
}
