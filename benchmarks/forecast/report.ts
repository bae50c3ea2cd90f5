import type { Accuracy, MethodAccuracy } from './accuracy.js';
import { accuracyBars, type Bar, percent, stepBars } from './bars.js';
import type { StepQuantiles, StepTimes } from './step-time.js';

/** A section's figures with time and machine. */
export interface Kept<Figures> {
  readonly made: string;
  readonly figures: Figures;
}

/** Content of results.json. */
export interface KeptResults {
  readonly accuracy?: Kept<readonly Accuracy[]>;
  readonly 'step-time'?: Kept<StepTimes>;
}

const barTable = (bars: readonly Bar[]): string =>
  [
    '| claim | measured | bar | |',
    '|---|---|---|---|',
    ...bars.map(({ claim, figure, bar, met }) => `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`),
  ].join('\n');

const columns = (figures: MethodAccuracy): string =>
  [
    percent(figures.smapeFraction, 2),
    figures.pinballLoss.toFixed(4),
    percent(figures.coverageFraction, 2),
    figures.coverageByDay.map((value) => (100 * value).toFixed(1)).join(' '),
    figures.coverageByTercile.map((value) => (100 * value).toFixed(1)).join(' '),
  ].join(' | ');

function trialText(accuracy: Accuracy): string {
  const { seed, keepZeros, selected, changes, forecasts, methods, inForce } = accuracy;
  const rows = [...methods, inForce].map((method) => {
    const mark = method.name === selected ? ` (selected)` : '';
    return `| ${method.name}${mark} | ${columns(method)} |`;
  });
  return [
    `### Seed ${seed}, zero seconds ${keepZeros ? 'kept' : 'removed'}`,
    `${forecasts} forecasts; ${changes} ${changes === 1 ? 'change' : 'changes'} of forecaster while testing.`,
    barTable(accuracyBars(accuracy)),
    [
      '| forecaster | SMAPE | pinball loss | covers | by day (%) | by tercile (%) |',
      '|---|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
  ].join('\n\n');
}

function accuracySection({ made, figures }: Kept<readonly Accuracy[]>): string {
  return [
    '## Accuracy',
    `${made}.`,
    'Counts ÷ 8, rounded down; twelve maxima of 10 s in, the largest second of the next 20 s out; 10 days to fit and select on, 4 to test. ' +
      'SMAPE is that of points rounded to whole requests; pinball loss (rps) and coverage are those of the 0.95 quantile as it is. The ' +
      'quantile of a simple method is its point times a factor that has the least pinball loss on the training days.',
    ...figures.map(trialText),
  ].join('\n\n');
}

function stepRow(name: string, { steps, medianMs, p99Ms, p999Ms, maxMs }: StepQuantiles): string {
  return `| ${name} | ${steps} | ${[medianMs, p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(2)).join(' | ')} |`;
}

function longRows(name: string, { long }: StepQuantiles): readonly string[] {
  return long.map(
    ({ step, wallMs, cpuMs, gcMs, putOff }) =>
      `| ${name} | ${step} | ${[wallMs, cpuMs, gcMs].map((ms) => ms.toFixed(2)).join(' | ')} | ${putOff} |`,
  );
}

function stepSection({ made, figures }: Kept<StepTimes>): string {
  const { fits, backToBack, paced } = figures;
  return [
    '## Time of a step',
    `${made}.`,
    barTable(stepBars(figures)),
    [
      '| steps | number | median ms | p99 | p99.9 | longest |',
      '|---|---|---|---|---|---|',
      stepRow('one behind the other', backToBack),
      stepRow('with pauses', paced),
    ].join('\n'),
    'The longest ones, with the CPU time that the whole process took meanwhile, the time of its garbage collection, and how often it lost its core:',
    [
      '| steps | which | wall ms | CPU ms | collection ms | lost its core |',
      '|---|---|---|---|---|---|',
      ...longRows('one behind the other', backToBack),
      ...longRows('with pauses', paced),
    ].join('\n'),
    '### Fits on ten days',
    [
      '| forecaster | s |',
      '|---|---|',
      ...fits.map(({ name, fitMs }) => `| ${name} | ${(fitMs / 1000).toFixed(1)} |`),
    ].join('\n'),
  ].join('\n\n');
}

export function forecastReport({ accuracy, 'step-time': steps }: KeptResults): string {
  const shown = [
    ...(accuracy === undefined ? [] : [accuracySection(accuracy)]),
    ...(steps === undefined ? [] : [stepSection(steps)]),
  ];
  return `# Forecasts on the reference trace\n\n${shown.join('\n\n')}\n`;
}

export function allBars({ accuracy, 'step-time': steps }: KeptResults): readonly Bar[] {
  return [...(accuracy?.figures.flatMap(accuracyBars) ?? []), ...(steps === undefined ? [] : stepBars(steps.figures))];
}
