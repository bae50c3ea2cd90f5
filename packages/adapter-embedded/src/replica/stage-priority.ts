/**
 * Priority of stages. If cores are scarce, the serving thread comes first: it answers probes, refuses requests that
 * would be late, and gives the stages their batches. Without rights, a priority can only be lowered.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * Added niceness. A stage that has to share a core with a busy serving thread still gets a quarter of the time: requests
 * need both.
 */
const STAGE_NICENESS = 5;

/** Lowers the priority of this thread, if the system (Linux) has priorities of threads. Its later threads inherit it. */
export function lowerThreadPriority(): void {
  try {
    const [processId, , threadId] = readlinkSync('/proc/thread-self').split('/').map(Number);
    // In another process namespace, /proc numbers threads differently.
    if (threadId !== undefined && processId === process.pid) setPriority(threadId, loweredPriority());
  } catch {
    // Without the lower priority, the stage competes with serving.
  }
}

/** Lowers the priority of a process that has just started. */
export function lowerProcessPriority(processId: number): void {
  try {
    const priority = loweredPriority();
    setPriority(processId, priority);
    // On Linux, this was its first thread alone. On a busy machine it may have started others in the meantime.
    if (Number(readlinkSync('/proc/self')) !== process.pid) return;
    for (const threadId of readdirSync(`/proc/${processId}/task`)) setPriority(Number(threadId), priority);
  } catch {
    // The process has ended, or the system has no such priorities.
  }
}

function loweredPriority(): number {
  return Math.min(constants.priority.PRIORITY_LOW, getPriority() + STAGE_NICENESS);
}
