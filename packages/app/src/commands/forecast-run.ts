import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Trial, TrialProgress } from '@equipoise/core/forecast';
import { ProgressMeter } from '@equipoise/runtime';
import { type ProgressDisplay, progressDisplay } from '../terminal/progress.js';
import type { TrialMessage, TrialQuestion } from './forecast-thread.js';

/** Runs a trial in its own thread, with progress on stderr; rejects with the thread's error. */
export async function runTrial(question: TrialQuestion): Promise<Trial> {
  const display = progressDisplay('forecast');
  const entry = createRequire(import.meta.url).resolve('equipoise/forecast-thread');
  const thread = new Worker(entry, { workerData: question, execArgv: [] });
  try {
    return await answerOf(thread, progressTo(display));
  } finally {
    display.stop();
    await thread.terminate();
  }
}

function answerOf(thread: Worker, onProgress: (progress: TrialProgress) => void): Promise<Trial> {
  return new Promise((resolve, reject) => {
    thread.on('error', reject);
    thread.on('exit', () => reject(new Error('the forecast thread has ended')));
    thread.on('message', (message: TrialMessage) => {
      if ('trial' in message) resolve(message.trial);
      else onProgress(message.progress);
    });
  });
}

/** Estimated duration of a step before the first is timed. */
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
