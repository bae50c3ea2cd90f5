/** Priority of threads that work next to the serving thread. On a busy machine, requests come first. */
import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/** Added niceness. On a busy core the thread still gets a quarter of the time: others wait for its answers. */
const LESS_PRIORITY = 5;

/** Lowers the priority of this thread alone, if it is a worker and the system (Linux) allows it. */
export function yieldToServing(): void {
  if (isMainThread) return;
  try {
    const [processId, , threadId] = readlinkSync('/proc/thread-self').split('/').map(Number);
    // In another process namespace, /proc numbers this thread differently.
    if (threadId === undefined || processId !== process.pid) return;
    setPriority(threadId, Math.min(constants.priority.PRIORITY_LOW, getPriority(threadId) + LESS_PRIORITY));
  } catch {
    // Without the lower priority, the thread competes with serving.
  }
}
