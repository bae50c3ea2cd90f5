/** Whether the server runs, and whether it can answer: ready means that every stage of every pipeline has a replica in service. */
import type { Answer } from './answer.js';
import { type Call, pipelineOf } from './endpoint.js';

/** The process runs and answers. */
export function live(): Answer {
  return { status: 200, text: '{"live":true}' };
}

/** Whether all pipelines are ready; those that are not are named. */
export function ready({ pipelines, phase }: Call): Answer {
  const missing = [...pipelines.values()].filter((pipeline) => !pipeline.ready).map(({ name }) => name);
  return readiness(phase === 'serving' && missing.length === 0, missing.length > 0 ? { notReady: missing } : {});
}

/** Whether one pipeline is ready. */
export function pipelineReady(call: Call): Answer {
  const pipeline = pipelineOf(call);
  return readiness(call.phase === 'serving' && pipeline.ready, { name: pipeline.name });
}

function readiness(isReady: boolean, more: Readonly<Record<string, unknown>>): Answer {
  return { status: isReady ? 200 : 503, text: JSON.stringify({ ...more, ready: isReady }) };
}
