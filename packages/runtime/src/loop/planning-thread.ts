/** Entry of the planning thread: makes one decision or plan per message, so that planning never delays a request. */
import { parentPort, workerData } from 'node:worker_threads';
import { type PlanningSetup, type PlanningTask, planningEngine } from './planning-engine.js';

const engine = planningEngine(workerData as PlanningSetup);

parentPort?.on('message', ({ id, task }: { readonly id: number; readonly task: PlanningTask }) => {
  try {
    parentPort?.postMessage({ id, answer: engine.answer(task) });
    if (task.kind === 'tick') engine.learn();
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
