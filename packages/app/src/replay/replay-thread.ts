/** Thread that replays groups of decisions. */
import { parentPort, workerData } from 'node:worker_threads';
import type { RecordedLog } from '@equipoise/runtime';
import { type FailedCell, failedCell } from '../cells/failed-cell.js';
import { type GroupVerdicts, groupReplayer, type ReplayGroup } from './replay-group.js';

const replayGroup = groupReplayer(workerData as RecordedLog['setups']);

function answerTo(group: ReplayGroup): GroupVerdicts | FailedCell {
  try {
    return replayGroup(group);
  } catch (error) {
    return failedCell(error);
  }
}

parentPort?.on('message', (group: ReplayGroup) => parentPort?.postMessage(answerTo(group)));
