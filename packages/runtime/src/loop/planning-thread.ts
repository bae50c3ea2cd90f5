/** Entry of the planning thread: makes one decision or plan per message, so that planning never delays a request. */
import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Observation } from '@equipoise/core';
import { type PlanningSetup, type PlanningTask, planningEngine } from './planning-engine.js';

/** What the thread is started with; observations that come in while it plans arrive at a port of their own. */
export interface PlanningThreadData {
  readonly setup: PlanningSetup;
  readonly observations: MessagePort;
}

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
const { setup, observations } = workerData as PlanningThreadData;
const engine = planningEngine(setup);

/** The newest that has come in. */
function later(): Observation | undefined {
  let newest: Observation | undefined;
  for (let next = receiveMessageOnPort(observations); next !== undefined; next = receiveMessageOnPort(observations))
    newest = next.message as Observation;
  return newest;
}

function answerTo(task: PlanningTask) {
  try {
    return engine.answer(task, later);
  } finally {
    // What is left has come in too late; it must not pile up where ticks seldom look.
    later();
  }
}

parentPort?.on('message', ({ id, task }: { readonly id: number; readonly task: PlanningTask }) => {
  try {
    parentPort?.postMessage({ id, answer: answerTo(task) });
    if (task.kind === 'tick') engine.learn();
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
