/** Thread of one trial: sends progress messages, then the trial. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  forecastMethods,
  forecastTrial,
  type Trial,
  type TrialProgress,
  type TrialRequest,
} from '@equipoise/core/forecast';

export type TrialQuestion = Pick<TrialRequest, 'task' | 'series' | 'trainS' | 'seed'>;

export type TrialMessage = { readonly progress: TrialProgress } | { readonly trial: Trial };

const say = (message: TrialMessage): void => parentPort?.postMessage(message);

const trial = forecastTrial({
  ...(workerData as TrialQuestion),
  methods: forecastMethods,
  clock: { nowMs: () => performance.now() },
  onProgress: (progress) => say({ progress }),
});
say({ trial });
