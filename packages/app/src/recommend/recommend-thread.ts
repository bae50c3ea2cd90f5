/** Thread that answers questions of `recommend`. */
import { parentPort } from 'node:worker_threads';
import { type FailedCell, failedCell } from '../cells/failed-cell.js';
import { answersTo, type RecommendTask, type TaskAnswers } from './recommend-task.js';

function answerTo(task: RecommendTask): TaskAnswers | FailedCell {
  try {
    return { kind: 'answered', answers: answersTo(task) };
  } catch (error) {
    return failedCell(error);
  }
}

parentPort?.on('message', (task: RecommendTask) => parentPort?.postMessage(answerTo(task)));
