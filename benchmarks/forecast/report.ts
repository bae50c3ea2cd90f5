import type { Accuracy, MethodAccuracy } from './accuracy.js';
import { accuracyBars, type Bar, lightGbmBars, percent, selectedMethod, stepBars } from './bars.js';
import { LIGHT_GBM_MISSING } from './light-gbm.js';
import type { StepQuantiles, StepTimes } from './step-time.js';
import { SYNTHETIC_SEED } from './synthetic-loads.js';

/** A section's figures with time and machine. */
export interface Kept<Figures> {
  readonly made: string;
  readonly figures: Figures;
}

/** Accuracy on a load. */
export interface LoadAccuracy {
  readonly load: string;
  readonly accuracy: Accuracy;
}

/** Content of results.json. */
export interface KeptResults {
  readonly accuracy?: Kept<readonly Accuracy[]>;
  readonly loads?: Kept<readonly LoadAccuracy[]>;
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
    lightGbmText(accuracy),
  ].join('\n\n');
}

function lightGbmText({ selected, lightGbm }: Accuracy): string {
  if (lightGbm === undefined) return LIGHT_GBM_MISSING;
  const [theirs, ours] = lightGbm.roundedLosses;
  return (
    `LightGBM covers ${percent(lightGbm.coverageFraction, 2)}. With quantiles rounded to whole requests: pinball loss ` +
    `${theirs.toFixed(4)} of LightGBM, ${ours.toFixed(4)} of ${selected}.`
  );
}

function loadsSection({ made, figures }: Kept<readonly LoadAccuracy[]>): string {
  const rows = figures.map(({ load, accuracy }) => {
    const { name, pinballLoss } = selectedMethod(accuracy);
    const { lightGbm, methods, inForce } = accuracy;
    const losses = methods.map((method) => method.pinballLoss.toFixed(4));
    const rival = lightGbm === undefined ? ['–', '–'] : [lightGbm.pinballLoss, ...lightGbm.roundedLosses.slice(0, 1)];
    const met =
      lightGbm === undefined ? 'not measured' : lightGbmBars(accuracy)[0]?.met === true ? 'met' : '**missed**';
    const shown = [pinballLoss, inForce.pinballLoss, ...rival].map((loss) =>
      typeof loss === 'number' ? loss.toFixed(4) : loss,
    );
    return `| ${[load, name, ...shown, lightGbm?.roundedLosses[1].toFixed(4) ?? '–', met, ...losses].join(' | ')} |`;
  });
  const names = figures[0]?.accuracy.methods.map(({ name }) => name) ?? [];
  const head = [
    'load',
    'selected',
    'its loss',
    'in force',
    'LightGBM',
    'LightGBM rounded',
    'selected rounded',
    '',
    ...names,
  ];
  return [
    '## Against LightGBM',
    `${made}.`,
    `Pinball losses of the 0.95 quantile (rps) on the same task. Synthetic loads are Poisson counts with seed ${SYNTHETIC_SEED}, one day to fit and select on, one to test. The bar is the loss of LightGBM (defaults, the lags as they are, trained on the same part). The slowest method, \`lstm\`, does not take part.`,
    [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows].join('\n'),
    ...ratioText(figures),
  ].join('\n\n');
}

function ratioText(figures: readonly LoadAccuracy[]): readonly string[] {
  const ratios = figures.flatMap(({ accuracy }) => {
    const { lightGbm } = accuracy;
    if (lightGbm === undefined) return [];
    const [theirs, ours] = lightGbm.roundedLosses;
    return [[selectedMethod(accuracy).pinballLoss / lightGbm.pinballLoss, ours / theirs] as const];
  });
  if (ratios.length === 0) return [LIGHT_GBM_MISSING];
  const meanOf = (place: 0 | 1): string =>
    (ratios.reduce((sum, ratio) => sum + ratio[place], 0) / ratios.length).toFixed(3);
  return [`In all: ${meanOf(0)} × the loss of LightGBM (mean of the ratios); both rounded: ${meanOf(1)} ×.`];
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

export function forecastReport({ accuracy, loads, 'step-time': steps }: KeptResults): string {
  const shown = [
    ...(accuracy === undefined ? [] : [accuracySection(accuracy)]),
    ...(loads === undefined ? [] : [loadsSection(loads)]),
    ...(steps === undefined ? [] : [stepSection(steps)]),
  ];
  return `# Forecasts on the reference trace\n\n${shown.join('\n\n')}\n`;
}

export function allBars({ accuracy, loads, 'step-time': steps }: KeptResults): readonly Bar[] {
  return [
    ...(accuracy?.figures.flatMap(accuracyBars) ?? []),
    ...(loads?.figures.flatMap((load) => lightGbmBars(load.accuracy)) ?? []),
    ...(steps === undefined ? [] : stepBars(steps.figures)),
  ];
}
