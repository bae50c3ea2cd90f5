/** Entry of a planning thread: decides and plans for the pipelines that have a seat in it, so that planning never delays a request. */
import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { type DeskMessage, PlanningDesk } from './planning-desk.js';

/**
 * By how much: planning may wait, requests may not, and replicas of this host keep the cores that they were planned with. On a busy core it
 * still gets a quarter, for an answer to a burst must not wait long.
 */
const LESS_PRIORITY = 5;

/** Lowers the priority of this thread alone, where the system has such a thing (Linux) and allows it. */
function yieldToServing(): void {
  try {
    const [processId, , threadId] = readlinkSync('/proc/thread-self').split('/').map(Number);
    // The files of other processes than ours can see number this thread otherwise.
    if (threadId === undefined || processId !== process.pid) return;
    setPriority(threadId, Math.min(constants.priority.PRIORITY_LOW, getPriority(threadId) + LESS_PRIORITY));
  } catch {
    // Elsewhere it competes with what is served.
  }
}

yieldToServing();
const port = parentPort;
if (port !== null) {
  const takeIn = (): void => {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      desk.take(next.message as DeskMessage);
  };
  const desk = new PlanningDesk({
    ...{ takeIn, nowMs: () => performance.now() },
    post: (reply) => port.postMessage(reply),
  });
  port.on('message', (message: DeskMessage) => {
    desk.take(message);
    desk.work();
  });
}
