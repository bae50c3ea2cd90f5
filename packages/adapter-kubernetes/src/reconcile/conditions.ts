/** Conditions of the status: what is true now, and since when. */
import type { PipelineCondition } from '../crd/status-schema.js';

/** A condition before it is known since when it holds. */
export type Finding = Pick<PipelineCondition, 'type' | 'status' | 'reason' | 'message'>;

/** Longest message that the definition allows. */
const MOST_MESSAGE = 32_768;

/** The findings as conditions; the time of the last change stays where the status of a condition did. */
export function conditionsOf(
  findings: readonly Finding[],
  before: readonly PipelineCondition[],
  at: { readonly generation: number; readonly epochMs: number },
): readonly PipelineCondition[] {
  const now = new Date(at.epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return findings.map(({ type, status, reason, message }) => {
    const old = before.find((condition) => condition.type === type);
    return {
      ...{ type, status, reason },
      message: message.slice(0, MOST_MESSAGE),
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
      observedGeneration: at.generation,
    };
  });
}
