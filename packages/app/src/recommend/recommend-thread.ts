/** Thread that answers questions of `recommend`. */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import type { FailedCell } from '../experiment/run-cells.js';
import { answersTo, type RecommendTask, type TaskAnswers } from './recommend-task.js';

function answerTo(task: RecommendTask): TaskAnswers | FailedCell {
  try {
    return { kind: 'answered', answers: answersTo(task) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', code: error instanceof AppError ? error.code : 'INTERNAL_ERROR', message };
  }
}

parentPort?.on('message', (task: RecommendTask) => parentPort?.postMessage(answerTo(task)));
