import type { Accuracy, MethodAccuracy } from './accuracy.js';
import type { StepTimes } from './step-time.js';

export interface Bar {
  readonly claim: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

/** Methods with at most a factor and a weight to learn. */
const SIMPLE = ['last-value', 'last-two-max', 'window-max', 'window-mean', 'ewma'];

const MOST_SMAPE = 0.076;
const LEAST_SMAPE_GAIN = 0.12;
const LEAST_PINBALL_GAIN = 0.08;
const COVERAGE = { least: 0.935, most: 0.965 };
const PART_COVERAGE = { least: 0.92, most: 0.98 };
const MOST_STEP_MS = 5;

export const percent = (fraction: number, digits = 1): string => `${(100 * fraction).toFixed(digits)} %`;

export function bestSimple({ methods }: Accuracy, figure: 'smapeFraction' | 'pinballLoss'): MethodAccuracy {
  const simple = methods.filter(({ name }) => SIMPLE.includes(name));
  return simple.reduce((best, method) => (method[figure] < best[figure] ? method : best));
}

/** Bars of a trial without or with the trace's zeros. */
export function accuracyBars(accuracy: Accuracy): readonly Bar[] {
  return [...(accuracy.keepZeros ? zerosKeptBars(accuracy) : mainBars(accuracy)), ...lightGbmBars(accuracy)];
}

/** None if LightGBM was not measured. */
export function lightGbmBars(accuracy: Accuracy): readonly Bar[] {
  const { seed, lightGbm } = accuracy;
  if (lightGbm === undefined) return [];
  const { name, pinballLoss } = selectedMethod(accuracy);
  return [
    {
      claim: `pinball loss of ${name}, selected before the test, not above LightGBM ${lightGbm.version}, untuned, seed ${seed}`,
      figure: pinballLoss.toFixed(4),
      bar: `≤ ${lightGbm.pinballLoss.toFixed(4)}`,
      met: pinballLoss <= lightGbm.pinballLoss,
    },
  ];
}

function mainBars(accuracy: Accuracy): readonly Bar[] {
  const chosen = selectedMethod(accuracy);
  const { smapeFraction, pinballLoss, coverageFraction, coverageByDay, coverageByTercile } = chosen;
  const [bySmape, byPinball] = [bestSimple(accuracy, 'smapeFraction'), bestSimple(accuracy, 'pinballLoss')];
  const smapeGain = 1 - smapeFraction / bySmape.smapeFraction;
  const pinballGain = 1 - pinballLoss / byPinball.pinballLoss;
  const inside = (value: number, { least, most }: typeof COVERAGE): boolean => value >= least && value <= most;
  const each = (values: readonly number[]): string => values.map((value) => percent(value)).join(', ');
  return [
    {
      claim: `SMAPE of ${chosen.name}, selected before the test, rounded`,
      figure: percent(smapeFraction, 2),
      bar: `≤ ${percent(MOST_SMAPE)}`,
      met: smapeFraction <= MOST_SMAPE,
    },
    {
      claim: `that below the best simple method (${bySmape.name}, ${percent(bySmape.smapeFraction, 2)})`,
      figure: percent(smapeGain),
      bar: `≥ ${percent(LEAST_SMAPE_GAIN, 0)}`,
      met: smapeGain >= LEAST_SMAPE_GAIN,
    },
    {
      claim: `pinball loss at 0.95 below the best simple method times its factor (${byPinball.name}, ${byPinball.pinballLoss.toFixed(4)})`,
      figure: `${percent(pinballGain)} (${pinballLoss.toFixed(4)})`,
      bar: `≥ ${percent(LEAST_PINBALL_GAIN, 0)}`,
      met: pinballGain >= LEAST_PINBALL_GAIN,
    },
    {
      claim: 'the quantile covers, in all',
      figure: percent(coverageFraction, 2),
      bar: '93.5–96.5 %',
      met: inside(coverageFraction, COVERAGE),
    },
    {
      claim: 'on each day of the test',
      figure: each(coverageByDay),
      bar: '92–98 %',
      met: coverageByDay.every((value) => inside(value, PART_COVERAGE)),
    },
    {
      claim: 'in each tercile of the last known load',
      figure: each(coverageByTercile),
      bar: '92–98 %',
      met: coverageByTercile.every((value) => inside(value, PART_COVERAGE)),
    },
  ];
}

function zerosKeptBars(accuracy: Accuracy): readonly Bar[] {
  const chosen = selectedMethod(accuracy);
  const [bySmape, byPinball] = [bestSimple(accuracy, 'smapeFraction'), bestSimple(accuracy, 'pinballLoss')];
  return [
    {
      claim: `zero seconds kept: SMAPE of ${chosen.name}`,
      figure: percent(chosen.smapeFraction, 2),
      bar: `≤ ${percent(bySmape.smapeFraction, 2)} (${bySmape.name})`,
      met: chosen.smapeFraction <= bySmape.smapeFraction,
    },
    {
      claim: `zero seconds kept: pinball loss of ${chosen.name}`,
      figure: chosen.pinballLoss.toFixed(4),
      bar: `≤ ${byPinball.pinballLoss.toFixed(4)} (${byPinball.name})`,
      met: chosen.pinballLoss <= byPinball.pinballLoss,
    },
  ];
}

export function selectedMethod({ methods, selected, inForce }: Accuracy): MethodAccuracy {
  return methods.find(({ name }) => name === selected) ?? inForce;
}

export function stepBars({ backToBack, paced }: StepTimes): readonly Bar[] {
  return [
    { times: backToBack, how: 'one behind the other' },
    { times: paced, how: 'with pauses' },
  ].map(({ times, how }) => ({
    claim: `longest of ${times.steps} steps (scores, selection, next forecasts of all methods), ${how}`,
    figure: `${times.maxMs.toFixed(2)} ms (median ${times.medianMs.toFixed(2)}, p99 ${times.p99Ms.toFixed(2)})`,
    bar: `≤ ${MOST_STEP_MS} ms`,
    met: times.maxMs <= MOST_STEP_MS,
  }));
}
