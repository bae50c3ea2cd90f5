import type { ForecastFigures, PeakTask, Trial } from '@equipoise/core/forecast';
import pc from 'picocolors';
import { percentText } from '../terminal/plan-table.js';
import { textTable } from '../terminal/text-table.js';

export interface ForecastAnswer {
  readonly selected: string;
  readonly methods: readonly MethodFigures[];
  readonly inForce: ForecastFigures & { readonly changes: number; readonly stepMs: StepTimes };
  readonly trainBins: number;
  readonly testBins: number;
}

interface MethodFigures extends ForecastFigures {
  readonly name: string;
  readonly fitMs: number;
  readonly predictMs: number;
}

interface StepTimes {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

interface TrialConditions {
  readonly trace: string;
  readonly task: PeakTask;
  readonly trainS: number;
  readonly seconds: number;
  readonly scale: number;
  readonly keepZeros: boolean;
}

export function forecastText(answer: ForecastAnswer, trial: Trial, conditions: TrialConditions): string {
  return [
    conditionsText(answer, conditions),
    methodTable(answer),
    forecastPlot(trial.inForce, conditions.task.binS),
    selectionText(answer, conditions.task),
  ].join('\n');
}

function conditionsText({ trainBins, testBins }: ForecastAnswer, conditions: TrialConditions): string {
  const { trace, task, trainS, seconds, scale, keepZeros } = conditions;
  const { binS, lags, horizonBins } = task;
  return [
    `${pc.bold(trace)}: ${trainS} s for training, ${Math.max(0, seconds - trainS)} s for testing (${trainBins} and ${testBins} bins)`,
    pc.dim(
      `counts × ${scale}, rounded down${keepZeros ? '' : ', without seconds of 0'}; ${lags} maxima of ${binS} s in, the largest second of the next ${binS * horizonBins} s out`,
    ),
  ].join('\n');
}

function methodTable({ methods, selected }: ForecastAnswer): string {
  const columns = ['SMAPE', 'pinball loss', 'coverage', 'fit s', 'forecast ms'].map((right) => ({ right }));
  const rows = methods.map(({ name, smapeFraction, pinballLoss, coverageFraction, fitMs, predictMs }) => [
    name === selected ? pc.green(`${name} ←`) : name,
    percentText(smapeFraction),
    pinballLoss.toFixed(4),
    percentText(coverageFraction),
    (fitMs / 1000).toFixed(1),
    predictMs.toFixed(3),
  ]);
  return textTable(['forecaster', ...columns], rows);
}

function selectionText({ selected, inForce, methods }: ForecastAnswer, { upperFraction }: PeakTask): string {
  const { smapeFraction, pinballLoss, coverageFraction, changes, stepMs } = inForce;
  const simple = methods.filter(({ name }) => name !== selected && pinballLoss < Number.POSITIVE_INFINITY);
  const next = Math.min(...simple.map((method) => method.pinballLoss));
  return [
    `${pc.green(selected)} had the least pinball loss at the ${percentText(upperFraction)} quantile in the last fifth of the training part${Number.isFinite(next) ? `; the best other has ${next.toFixed(4)} in the test part` : ''}`,
    `in force while testing: SMAPE ${percentText(smapeFraction)}, pinball loss ${pinballLoss.toFixed(4)}, covers ${percentText(coverageFraction)}; ${changes === 1 ? 'one change' : `${changes} changes`} of forecaster`,
    pc.dim(
      `scores, selection and the next forecast take ${stepMs.mean.toFixed(2)} ms, ${stepMs.p99.toFixed(2)} at the 99th percentile`,
    ),
  ].join('\n');
}

const HEIGHT = 12;
const MOST_COLUMNS = 72;
const GUTTER = 7;

/** Plot with one column per forecast: `─` quantile, `·` point, `●` actual peak. */
function forecastPlot({ targetsRps, pointsRps, uppersRps }: Trial['inForce'], binS: number): string {
  const columns = Math.min(MOST_COLUMNS, targetsRps.length);
  const from = targetsRps.length - columns;
  const last = (values: ArrayLike<number>) => Array.from({ length: columns }, (_, k) => values[from + k] as number);
  const series = [
    [last(uppersRps), pc.yellow('─')],
    [last(pointsRps), pc.cyan('·')],
    [last(targetsRps), '●'],
  ] as const;
  const top = Math.max(1, ...series.flatMap(([values]) => values.filter(Number.isFinite)));
  const cells = Array.from({ length: HEIGHT }, () => new Array<string>(columns).fill(' '));
  for (const [values, mark] of series) {
    for (const [column, value] of values.entries()) {
      const line = cells[HEIGHT - 1 - Math.round((value / top) * (HEIGHT - 1))];
      if (line !== undefined) line[column] = mark;
    }
  }
  const label = (row: number): string => (row === 0 ? top.toFixed(1) : row === HEIGHT - 1 ? '0' : '');
  const span = `the last ${columns * binS} s`;
  return [
    pc.dim(`rps: ● actual peak, ─ forecast quantile, · forecast point`),
    ...cells.map((line, row) => `${label(row).padStart(GUTTER - 1)} ${pc.dim('│')}${line.join('').trimEnd()}`),
    `${' '.repeat(GUTTER)}${pc.dim(`└${'─'.repeat(columns)}`)}`,
    pc.dim(`${' '.repeat(GUTTER + 1)}${span}`),
  ].join('\n');
}
