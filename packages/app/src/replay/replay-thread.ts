/** Thread that replays groups of decisions. */
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import type { RecordedLog } from '@equipoise/runtime';
import type { FailedCell } from '../experiment/run-cells.js';
import { type GroupVerdicts, groupReplayer, type ReplayGroup } from './replay-group.js';

const replayGroup = groupReplayer(workerData as RecordedLog['setups']);

function answerTo(group: ReplayGroup): GroupVerdicts | FailedCell {
  try {
    return replayGroup(group);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', code: error instanceof AppError ? error.code : 'INTERNAL_ERROR', message };
  }
}

parentPort?.on('message', (group: ReplayGroup) => parentPort?.postMessage(answerTo(group)));
