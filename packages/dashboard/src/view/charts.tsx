/** The time series of the overview. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { HistoryPoint } from '../api/answers.js';
import { clockText, digits, reasonText } from '../format/figures.js';
import { HOUR_MS } from '../state/history.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { budgetLeft, columnsOf, dropReasons, lastPoints } from '../state/series.js';
import { Chart } from './chart.js';
import { Banner, Notice } from './notice.js';

const RANGES = [
  { name: '5 min', ms: 300_000 },
  { name: '15 min', ms: 900_000 },
  { name: '1 h', ms: HOUR_MS },
] as const;

const MOST_REASONS = 4;

export function Charts({ state }: { readonly state: PipelineState }) {
  const range = useSignal<number>(300_000);
  const all = state.history.value;
  const slo = state.facts.value?.slo;
  const budget = state.facts.value?.budget;
  const points = useMemo(() => lastPoints(all, range.value), [all, range.value]);
  const at = state.replayAt.value === undefined ? undefined : state.replayAt.value / 1000;
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
  return (
    <section class="panel" aria-label="Time series">
      <div class="panel-head">
        <h2>Last {RANGES.find(({ ms }) => ms === range.value)?.name}</h2>
        <fieldset class="modes">
          <legend class="hidden">Time range</legend>
          {RANGES.map(({ name, ms }) => (
            <button key={ms} type="button" aria-pressed={range.value === ms} onClick={() => (range.value = ms)}>
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
        <Arrivals points={points} at={at} />
        <Latency points={points} at={at} sloMs={latencyMs} percentile={percentile} />
        <Misses points={points} at={at} />
        <Cores points={points} at={at} most={budget?.cpuCores} />
        <Accuracy points={points} at={at} />
        <Cost points={points} at={at} most={budget?.costPerHour} />
        <Budget points={all} at={at} percentile={percentile} />
      </div>
    </section>
  );
}

interface Shown {
  readonly points: readonly HistoryPoint[];
  readonly at: number | undefined;
}

function Arrivals({ points, at }: Shown) {
  const columns = useMemo(
    () =>
      columnsOf(points, [
        { label: 'arrivals', of: ({ arrivalRps }) => arrivalRps },
        { label: 'forecast', of: ({ forecastRps }) => forecastRps },
        { label: 'upper bound', of: ({ forecastUpperRps }) => forecastUpperRps },
      ]),
    [points],
  );
  return (
    <Chart
      title="Arrivals"
      unit="req/s"
      {...{ columns, at, format: digits }}
      series={[
        { label: 'arrivals', color: 'c1' },
        { label: 'forecast', color: 'c2' },
        { label: 'upper bound', color: 'c2', isDashed: true, width: 1 },
      ]}
      band={[2, 3]}
    />
  );
}

function Latency({ points, at, sloMs, percentile }: Shown & { readonly sloMs: number; readonly percentile: number }) {
  const columns = useMemo(
    () =>
      columnsOf(points, [
        { label: 'p50', of: ({ p50Ms }) => p50Ms },
        { label: 'p99', of: ({ p99Ms }) => p99Ms },
        { label: 'SLO', of: () => sloMs },
      ]),
    [points, sloMs],
  );
  return (
    <Chart
      title="Latency"
      unit={`ms, goal p${percentile}`}
      {...{ columns, at, format: digits }}
      series={[
        { label: 'p50', color: 'c3' },
        { label: 'p99', color: 'c1' },
        { label: 'SLO', color: 'bad', isDashed: true, width: 1 },
      ]}
    />
  );
}

function Misses({ points, at }: Shown) {
  const reasons = dropReasons(points).slice(0, MOST_REASONS);
  const key = reasons.join();
  const columns = useMemo(
    () =>
      columnsOf(points, [
        { label: 'late', of: ({ lateRps }) => lateRps },
        { label: 'failed', of: ({ failedRps }) => failedRps },
        ...reasons.map((reason) => ({ label: reason, of: ({ drops }: HistoryPoint) => drops[reason] ?? 0 })),
      ]),
    [points, key],
  );
  return (
    <Chart
      title="Late, failed, dropped"
      unit="req/s"
      {...{ columns, at, format: digits }}
      most={0.5}
      series={[
        { label: 'late', color: 'c2' },
        { label: 'failed', color: 'bad' },
        ...reasons.map((reason, index) => ({
          label: reasonText(reason),
          color: ['c1', 'c3', 'c4', 'c5'][index] ?? 'c1',
        })),
      ]}
    />
  );
}

function Cores({ points, at, most }: Shown & { readonly most: number | undefined }) {
  const columns = useMemo(
    () =>
      columnsOf(points, [
        { label: 'used', of: ({ cpuCores }) => cpuCores.used },
        { label: 'planned', of: ({ cpuCores }) => cpuCores.planned },
        ...(most === undefined ? [] : [{ label: 'budget', of: () => most }]),
      ]),
    [points, most],
  );
  return (
    <Chart
      title="CPU"
      unit="cores"
      {...{ columns, at, format: digits }}
      series={[
        { label: 'used', color: 'c1', isFilled: true },
        { label: 'planned', color: 'c3' },
        ...(most === undefined ? [] : [{ label: 'budget', color: 'bad', isDashed: true, width: 1 }]),
      ]}
    />
  );
}

function Accuracy({ points, at }: Shown) {
  const columns = useMemo(() => columnsOf(points, [{ label: 'accuracy', of: ({ accuracy }) => accuracy }]), [points]);
  return (
    <Chart
      title="Accuracy"
      unit="of the running plan"
      {...{ columns, at, most: 1, format: (value) => value.toFixed(2) }}
      series={[{ label: 'accuracy', color: 'c4', width: 2 }]}
    />
  );
}

function Cost({ points, at, most }: Shown & { readonly most: number | undefined }) {
  const columns = useMemo(
    () =>
      columnsOf(points, [
        { label: 'cost', of: ({ cost }) => cost },
        ...(most === undefined ? [] : [{ label: 'budget', of: () => most }]),
      ]),
    [points, most],
  );
  return (
    <Chart
      title="Cost"
      unit="per hour"
      {...{ columns, at, format: (value) => value.toFixed(2) }}
      series={[
        { label: 'cost', color: 'c5', width: 2 },
        ...(most === undefined ? [] : [{ label: 'budget', color: 'bad', isDashed: true, width: 1 }]),
      ]}
    />
  );
}

function Budget({ points, at, percentile }: Shown & { readonly percentile: number }) {
  const columns = useMemo(() => {
    const left = budgetLeft(points, percentile);
    return columnsOf(points, [{ label: 'left', of: (_, index) => 100 * Math.max(-1, left[index] ?? 1) }]);
  }, [points, percentile]);
  return (
    <Chart
      title="Error budget"
      unit="% of the last hour"
      {...{ columns, at, most: 100, format: digits }}
      series={[{ label: 'left', color: 'ok', isFilled: true }]}
    />
  );
}
