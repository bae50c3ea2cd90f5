/** `equipoise forecast`: compares forecasters on a trace and shows their accuracy. */

import type { Worker } from 'node:worker_threads';
import {
  forecastFigures,
  type PeakSeries,
  type PeakTask,
  peakSeries,
  type Trial,
  type TrialProgress,
  USUAL_PEAK_TASK,
} from '@equipoise/core/forecast';
import { AppError } from '@equipoise/core/model';
import { ProgressMeter } from '@equipoise/runtime';
import { ownThread } from '../cells/own-thread.js';
import { countsOf, shippedLoadNames } from '../compose/resolve-load.js';
import { forecastSvg } from '../report/forecast-plot.js';
import { outputFile } from '../report/output-file.js';
import { type ProgressDisplay, progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { type ForecastAnswer, forecastText } from './forecast-text.js';
import type { TrialMessage, TrialQuestion } from './forecast-thread.js';

interface ForecastOptions {
  readonly binS: number;
  readonly lags: number;
  readonly horizonBins: number;
  readonly trainS?: number;
  /** Factor on the counts; default 1 for a shipped load, `TRACE_SCALE` for a file. */
  readonly scale?: number;
  readonly keepZeros?: boolean;
  readonly seed: number;
  readonly svg?: string;
}

/** Fraction of the trace for training: ten of fourteen days. */
const TRAIN_FRACTION = 5 / 7;

/** Scale of the IPA paper. Shipped loads do not use it: their few requests per second would become 0. */
const TRACE_SCALE = 0.125;

/** `trace` is a shipped load, or a file of counts per second. */
export async function forecast(trace: string, options: ForecastOptions): Promise<CommandResult> {
  const { binS, lags, horizonBins, keepZeros = false, seed } = options;
  const scale = options.scale ?? (shippedLoadNames().includes(trace) ? 1 : TRACE_SCALE);
  const picture = options.svg === undefined ? undefined : await outputFile(options.svg);
  const counts = await countsOf(trace);
  const task: PeakTask = { ...USUAL_PEAK_TASK, binS, lags, horizonBins };
  const trainS = options.trainS ?? Math.floor(TRAIN_FRACTION * counts.length);
  const series = peakSeries(counts, { binS, scale, keepZeros });
  requireEnough(trace, series, { task, trainS, scale });
  const trial = await runTrial({ task, series, trainS, seed });
  const answer = answerOf(trial, task);
  await picture?.writeText(forecastSvg(trial, { series, binS, trace }));
  const conditions = { trace, task, trainS, seconds: counts.length, scale, keepZeros };
  return { json: answer, text: forecastText(answer, trial, conditions) };
}

/** Throws WRONG_USAGE if the training or test part is too short. */
function requireEnough(
  trace: string,
  { startS }: PeakSeries,
  { task, trainS, scale }: { readonly task: PeakTask; readonly trainS: number; readonly scale: number },
): void {
  const trainBins = startS.filter((second) => second < trainS).length;
  const testBins = startS.length - trainBins;
  // Training fits on the first four fifths and scores on the rest: each needs at least one example.
  const leastTrain = 5 * (task.lags + task.horizonBins);
  if (trainBins >= leastTrain && testBins >= task.horizonBins) return;
  const found = `${trainBins} bins of ${task.binS} s for training and ${testBins} for testing`;
  const unscaled =
    scale < 1
      ? ` Or give --scale 1: counts × ${scale} are rounded down, and seconds of 0 are dropped without --keep-zeros.`
      : '';
  throw new AppError(
    'WRONG_USAGE',
    `${trace} has ${found}; expected at least ${leastTrain} and ${task.horizonBins}. Give a longer trace, a shorter --bin-s, fewer --lags or another --train-s.${unscaled}`,
  );
}

function answerOf({ selected, methods, inForce, testBins }: Trial, task: PeakTask): ForecastAnswer {
  const stepsMs = Float64Array.from(inForce.stepsMs).sort();
  const mean = stepsMs.reduce((sum, ms) => sum + ms, 0) / stepsMs.length;
  const p99 = stepsMs[Math.ceil(0.99 * stepsMs.length) - 1] as number;
  return {
    selected,
    methods: methods.map((method) => {
      const { name, fitMs, predictMs } = method;
      return { name, ...forecastFigures(method, task.upperFraction), fitMs, predictMs };
    }),
    inForce: {
      ...forecastFigures(inForce, task.upperFraction),
      changes: inForce.changes,
      stepMs: { mean, p99, max: stepsMs.at(-1) as number },
    },
    trainBins: testBins[0] as number,
    testBins: testBins.length,
  };
}

async function runTrial(question: TrialQuestion): Promise<Trial> {
  const display = progressDisplay('forecast');
  const thread = ownThread('forecast', question);
  try {
    return await trialFrom(thread, progressTo(display));
  } finally {
    display.stop();
    await thread.terminate();
  }
}

function trialFrom(thread: Worker, onProgress: (progress: TrialProgress) => void): Promise<Trial> {
  return new Promise((resolve, reject) => {
    thread.on('error', reject);
    thread.on('exit', () => reject(new Error('the forecast thread has ended')));
    thread.on('message', (message: TrialMessage) => {
      if ('trial' in message) resolve(message.trial);
      else onProgress(message.progress);
    });
  });
}

/** Assumed time (ms) of a training step until the first step is timed. */
const EXPECTED_STEP_MS = 50;

function progressTo(display: ProgressDisplay): (progress: TrialProgress) => void {
  let meter: ProgressMeter | undefined;
  let counted = 0;
  return ({ doneUnits, totalUnits, label }) => {
    meter ??= new ProgressMeter(
      { nowMs: () => performance.now() },
      { totalUnits, expectedUnitMs: EXPECTED_STEP_MS, listener: (progress) => display.show(progress) },
    );
    meter.finish(doneUnits - counted, label);
    counted = doneUnits;
  };
}
