/** Sections of the benchmark with figures, bars and tables. */
import { type ClosedFormFigures, holds, measureClosedForms, type QueueFigures } from './closed-forms.js';
import { measureGrowth, measureSpeed, type SpeedCaseName, type SpeedRuns } from './speed.js';
import { speedCases } from './speed-cases.js';
import { measureSweep } from './sweep.js';
import type { SweptPlans } from './sweep-run.js';

export interface Bar {
  readonly claim: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

export interface Section {
  readonly name: string;
  measure(): unknown;
  bars(figures: never): readonly Bar[];
  table(figures: never): string;
}

/** Minimum stage-requests per second and core, in millions. */
const SPEED_BARS: Readonly<Record<SpeedCaseName, number>> = { batches: 4, singles: 2, fanOut: 1.5 };
const MAX_COST_CHANGE_PERCENT = 15;
const MAX_GROWTH_MB = 20;
const MAX_MISSES = 2;
const MAX_MEAN_PERCENT = 1;
const MAX_P99_PERCENT = 2;

const percent = (part: number, whole: number): number => (100 * part) / whole;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const millions = ({ runs }: SpeedRuns): number => median(runs.map(({ itemsPerSecond }) => itemsPerSecond / 1e6));
const costMicroseconds = ({ runs }: SpeedRuns): number =>
  median(runs.map(({ cpuMs, requests }) => (1000 * cpuMs) / requests));

function speedRow(each: SpeedRuns): string {
  const { name, requests, runs } = each;
  const rates = runs.map(({ itemsPerSecond }) => itemsPerSecond / 1e6);
  const calibration = median(runs.flatMap(({ calibrationMsteps }) => calibrationMsteps));
  const items = runs[0] === undefined ? 0 : runs[0].items / runs[0].batches;
  const cells = [
    speedCases[name].name,
    requests.toExponential(0),
    String(runs.length),
    millions(each).toFixed(2),
    `${Math.min(...rates).toFixed(2)} – ${Math.max(...rates).toFixed(2)}`,
    costMicroseconds(each).toFixed(2),
    items.toFixed(2),
    `${percent(runs[0]?.droppedFraction ?? 0, 1).toFixed(3)} %`,
    `${(Math.max(...runs.map(({ heapGrowthBytes }) => heapGrowthBytes)) / 1e6).toFixed(1)} MB`,
    `${(median(runs.map(({ rssBytes }) => rssBytes)) / 1e6).toFixed(0)} MB`,
    calibration.toFixed(0),
  ];
  return `| ${cells.join(' | ')} |`;
}

const speedTable = (rows: readonly SpeedRuns[]): string =>
  `Rates in millions of stage-requests per second of CPU time of the whole process (its collector and compiler included), median of the runs;
costs in microseconds per request; the last column is the speed of a fixed loop at the same moment, in millions of steps per second.

| pipeline | requests | runs | rate | least – most | cost | items a batch | dropped | heap growth | resident | loop |
|---|---|---|---|---|---|---|---|---|---|---|
${rows.map(speedRow).join('\n')}
`;

function speedBars(rows: readonly SpeedRuns[]): readonly Bar[] {
  return rows.map((row) => ({
    claim: `stage-requests per second and core, ${speedCases[row.name].name}`,
    figure: `${millions(row).toFixed(2)} million`,
    bar: `≥ ${SPEED_BARS[row.name]} million`,
    met: millions(row) >= SPEED_BARS[row.name],
  }));
}

function growthBars(rows: readonly SpeedRuns[]): readonly Bar[] {
  const costs = rows.map(costMicroseconds);
  const change = Math.max(...costs.map((cost) => Math.abs(percent(cost - (costs[0] ?? 0), costs[0] ?? 1))));
  const resident = rows.map(({ runs }) => median(runs.map(({ rssBytes }) => rssBytes)) / 1e6);
  const growth = (resident.at(-1) ?? 0) - (resident[0] ?? 0);
  return [
    {
      claim: 'change of the cost per request from 10^6 to 10^8 requests',
      figure: `${change.toFixed(1)} %`,
      bar: `≤ ${MAX_COST_CHANGE_PERCENT} %`,
      met: change <= MAX_COST_CHANGE_PERCENT,
    },
    {
      claim: 'growth of resident memory from 10^6 to 10^8 requests',
      figure: `${growth.toFixed(1)} MB`,
      bar: `< ${MAX_GROWTH_MB} MB`,
      met: growth < MAX_GROWTH_MB,
    },
  ];
}

const meanPercent = ({ mean }: QueueFigures): number => percent(mean.halfWidth, mean.value);
const p99Percent = ({ p99 }: QueueFigures): number => percent(p99.halfWidth, p99.value);

function closedFormBars({ first, again }: ClosedFormFigures): readonly Bar[] {
  const all = [...first, ...again];
  const widest = (of: (row: QueueFigures) => number): number => Math.max(...all.map(of));
  const missed = first.reduce((sum, { mean, p99 }) => sum + Number(!mean.contained) + Number(!p99.contained), 0);
  return [
    {
      claim: 'widest 99 % interval of a mean',
      figure: `± ${widest(meanPercent).toFixed(2)} %`,
      bar: `≤ ± ${MAX_MEAN_PERCENT} %`,
      met: widest(meanPercent) <= MAX_MEAN_PERCENT,
    },
    {
      claim: 'widest 99 % interval of a p99',
      figure: `± ${widest(p99Percent).toFixed(2)} %`,
      bar: `≤ ± ${MAX_P99_PERCENT} %`,
      met: widest(p99Percent) <= MAX_P99_PERCENT,
    },
    {
      claim: `intervals that miss the exact value, of ${2 * first.length}`,
      figure: `${missed}`,
      bar: `≤ ${MAX_MISSES}`,
      met: missed <= MAX_MISSES,
    },
    {
      claim: 'of the queues of those, simulated with seeds never used before: miss again',
      figure: `${again.filter((row) => !holds(row)).length} of ${again.length}`,
      bar: '0',
      met: again.every(holds),
    },
  ];
}

function queueRow(row: QueueFigures): string {
  const off = ({ value, exact }: QueueFigures['mean']): string => `${percent(value - exact, exact).toFixed(2)} %`;
  const inside = holds(row) ? 'yes' : '**no**';
  const cells = [
    row.name,
    `${row.requests / 1e6} million`,
    String(row.seed),
    row.mean.exact.toFixed(3),
    off(row.mean),
    `± ${meanPercent(row).toFixed(2)} %`,
    row.p99.exact.toFixed(2),
    off(row.p99),
    `± ${p99Percent(row).toFixed(2)} %`,
    inside,
  ];
  return `| ${cells.join(' | ')} |`;
}

const closedFormTable = ({ first, again }: ClosedFormFigures): string =>
  `Sojourn times in ms, service 10 ms (batches of k: 5 + 5k ms); the load is the share of the capacity with full batches. \`off\` is simulated
against exact; the last rows repeat, with fresh seeds, the queues of which an interval missed.

| queue | requests | seed | exact mean | off | interval | exact p99 | off | interval | both inside |
|---|---|---|---|---|---|---|---|---|---|
${[...first, ...again].map(queueRow).join('\n')}
`;

const MAX_SWEEP_S = 60;
const LEAST_SWEEP_MILLIONS = 1;
const sweepMillions = ({ items, cpuMs }: SweptPlans): number => items / cpuMs / 1000;

function sweepBars([sweep, ...loads]: readonly SweptPlans[]): readonly Bar[] {
  const seconds = (sweep?.cpuMs ?? Number.POSITIVE_INFINITY) / 1000;
  return [
    {
      claim: '2,000 plans × 10 minutes at 20 rps, three stages, on one core',
      figure: `${seconds.toFixed(1)} s`,
      bar: `≤ ${MAX_SWEEP_S} s`,
      met: seconds <= MAX_SWEEP_S,
    },
    ...loads.map((load) => ({
      claim: `stage-requests per second and core, ${load.arrivalRps} rps`,
      figure: `${sweepMillions(load).toFixed(2)} million`,
      bar: `≥ ${LEAST_SWEEP_MILLIONS} million`,
      met: sweepMillions(load) >= LEAST_SWEEP_MILLIONS,
    })),
  ];
}

const sweepTable = (rows: readonly SweptPlans[]): string =>
  `Different plans one after another: random variants, batch sizes, waits and replicas. CPU time of the whole process, with its start, its collector and its compiler;
the loads after the first row are the best of three processes.

| plans | rps | simulated | stage-requests | CPU time | rate | completed |
|---|---|---|---|---|---|---|
${rows
  .map((row) => {
    const cells = [
      String(row.plans),
      String(row.arrivalRps),
      `${row.durationS} s`,
      `${(row.items / 1e6).toFixed(1)} million`,
      `${(row.cpuMs / 1000).toFixed(1)} s`,
      `${sweepMillions(row).toFixed(2)} million per second`,
      `${percent(row.completedFraction, 1).toFixed(1)} %`,
    ];
    return `| ${cells.join(' | ')} |`;
  })
  .join('\n')}
`;

export const sections: readonly Section[] = [
  { name: 'speed', measure: measureSpeed, bars: speedBars, table: speedTable },
  { name: 'growth', measure: measureGrowth, bars: growthBars, table: speedTable },
  { name: 'sweep', measure: measureSweep, bars: sweepBars, table: sweepTable },
  { name: 'closed-forms', measure: measureClosedForms, bars: closedFormBars, table: closedFormTable },
];
