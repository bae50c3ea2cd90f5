/** Entry of a planner worker, so that planning does not block requests. */
import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { servePlanners } from './planner.js';

/** Added niceness. On a busy core the worker still gets a quarter of the time: a burst answer must not wait long. */
const LESS_PRIORITY = 5;

/** Lowers the priority of this thread alone, if the system (Linux) allows it. */
function yieldToServing(): void {
  try {
    const [processId, , threadId] = readlinkSync('/proc/thread-self').split('/').map(Number);
    // In another process namespace, /proc numbers this thread differently.
    if (threadId === undefined || processId !== process.pid) return;
    setPriority(threadId, Math.min(constants.priority.PRIORITY_LOW, getPriority(threadId) + LESS_PRIORITY));
  } catch {
    // Without the lower priority, planning competes with serving.
  }
}

yieldToServing();
if (parentPort !== null) servePlanners(parentPort);
