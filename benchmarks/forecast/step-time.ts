/** Times of fits and steps. Steps run in a new process, as cold as in service. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  forecastMethods,
  peakSeries,
  type TrainedForecaster,
  trainingPeaks,
  USUAL_PEAK_TASK,
} from '@equipoise/core/forecast';
import type { LongStep, StepAnswer, StepQuestion } from './step-process.js';
import { DAY_S, SCALE, TRAIN_DAYS } from './trace.js';

const PROCESS = fileURLToPath(new URL('step-process.ts', import.meta.url));
const PACED_STEPS = 400;
const PAUSE_MS = 50;

export interface StepQuantiles {
  readonly steps: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly long: readonly LongStep[];
}

export interface StepTimes {
  readonly fits: readonly { readonly name: string; readonly fitMs: number }[];
  readonly backToBack: StepQuantiles;
  readonly paced: StepQuantiles;
}

/** Trains all methods on the training days and times the steps over the test days. */
export function stepTimes(counts: readonly number[]): StepTimes {
  const task = USUAL_PEAK_TASK;
  const { maximaRps, startS } = peakSeries(counts, { binS: task.binS, scale: SCALE, keepZeros: false });
  const firstTest = startS.findIndex((second) => second >= TRAIN_DAYS * DAY_S);
  const training = trainingPeaks(maximaRps.slice(0, firstTest), task);
  const fits: { name: string; fitMs: number }[] = [];
  const forecasters = forecastMethods.map((method): TrainedForecaster => {
    const startedAtMs = performance.now();
    let fit = method.beginFit(training, 1);
    while (fit.doneSteps < fit.totalSteps) fit = method.fitStep(fit, training);
    fits.push({ name: method.name, fitMs: performance.now() - startedAtMs });
    return { method: method.name, weights: fit.weights };
  });
  const historyRps = Array.from(maximaRps.subarray(0, firstTest));
  const testRps = Array.from(maximaRps.subarray(firstTest));
  return {
    fits,
    backToBack: stepsOf({ forecasters, historyRps, testRps, pauseMs: 0 }),
    paced: stepsOf({ forecasters, historyRps, testRps: testRps.slice(0, PACED_STEPS), pauseMs: PAUSE_MS }),
  };
}

function stepsOf(question: StepQuestion): StepQuantiles {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-steps-'));
  try {
    const file = join(folder, 'question.json');
    writeFileSync(file, JSON.stringify(question));
    const output = execFileSync(process.execPath, [...process.execArgv, PROCESS, file], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return quantilesOf(JSON.parse(output) as StepAnswer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const SHOWN = 12;

function quantilesOf({ stepsMs, long }: StepAnswer): StepQuantiles {
  const sorted = stepsMs.toSorted((a, b) => a - b);
  const at = (fraction: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
  return {
    steps: stepsMs.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    long: long.toSorted((a, b) => b.wallMs - a.wallMs).slice(0, SHOWN),
  };
}
