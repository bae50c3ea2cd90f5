/**
 * Process that only runs service steps: it rolls fitted forecasters over the test maxima and prints step times. For
 * long steps it also prints garbage collections, CPU time and preemptions.
 */
import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import {
  beginBacktest,
  type ForecastMethod,
  forecastMethods,
  observeMaximum,
  type RollingBacktest,
  selectedForecast,
  type TrainedForecaster,
  USUAL_PEAK_TASK,
} from '@equipoise/core/forecast';

export interface StepQuestion {
  readonly forecasters: readonly TrainedForecaster[];
  readonly historyRps: readonly number[];
  readonly testRps: readonly number[];
  readonly pauseMs: number;
}

export interface LongStep {
  readonly step: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly gcMs: number;
  /** Preemptions of the process. */
  readonly putOff: number;
}

export interface StepAnswer {
  readonly stepsMs: readonly number[];
  readonly long: readonly LongStep[];
}

/** Threshold of a long step. */
const LONG_MS = 1;

const collections: { readonly startMs: number; readonly endMs: number }[] = [];
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries())
    collections.push({ startMs: startTime, endMs: startTime + duration });
}).observe({ entryTypes: ['gc'] });

function gcMsIn(fromMs: number, toMs: number): number {
  return collections.reduce(
    (sum, { startMs, endMs }) => sum + Math.max(0, Math.min(endMs, toMs) - Math.max(startMs, fromMs)),
    0,
  );
}

async function steps({ forecasters, historyRps, testRps, pauseMs }: StepQuestion): Promise<StepAnswer> {
  const methods = new Map<string, ForecastMethod>(forecastMethods.map((method) => [method.name, method]));
  let backtest: RollingBacktest = beginBacktest({ task: USUAL_PEAK_TASK, forecasters, historyRps }, methods);
  const length = testRps.length;
  // Preallocated, so that measuring creates no garbage.
  const [from, to, cpu, off] = [0, 1, 2, 3].map(() => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let uppersRps = 0;
  for (const [step, maximumRps] of testRps.entries()) {
    if (pauseMs > 0) await pause(pauseMs);
    const before = process.resourceUsage();
    const fromMs = performance.now();
    backtest = observeMaximum(backtest, maximumRps, methods);
    uppersRps += selectedForecast(backtest).upperRps;
    const toMs = performance.now();
    const after = process.resourceUsage();
    from[step] = fromMs;
    to[step] = toMs;
    cpu[step] = (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000;
    off[step] = after.involuntaryContextSwitches - before.involuntaryContextSwitches;
  }
  if (!Number.isFinite(uppersRps)) throw new Error('a forecast is not finite');
  // Collections are reported after their turn.
  await pause(50);
  const stepsMs = Array.from(to, (toMs, step) => toMs - (from[step] as number));
  return {
    stepsMs,
    long: stepsMs.flatMap((wallMs, step) => {
      if (wallMs < LONG_MS) return [];
      const gcMs = gcMsIn(from[step] as number, to[step] as number);
      return [{ step, wallMs, cpuMs: cpu[step] as number, gcMs, putOff: off[step] as number }];
    }),
  };
}

const [file = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await steps(JSON.parse(readFileSync(file, 'utf8')) as StepQuestion)));
