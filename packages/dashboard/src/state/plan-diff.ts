/** Differences between two plans, stage by stage, in the order of the graph. */
import type { Plan } from '../api/answers.js';

export interface StageChoice {
  readonly variantId: string;
  readonly cpuCores: number;
  readonly maxBatchSize: number;
  readonly replicas: number;
}

export interface StageDiff {
  readonly stageId: string;
  readonly before: StageChoice | undefined;
  readonly after: StageChoice | undefined;
  readonly changed: readonly (keyof StageChoice)[];
}

const FIELDS = ['variantId', 'cpuCores', 'maxBatchSize', 'replicas'] as const;

function choiceOf(plan: Pick<Plan, 'stages'> | undefined, stageId: string): StageChoice | undefined {
  const stage = plan?.stages[stageId as never]?.[0];
  if (stage === undefined) return undefined;
  const { variantId, resources, maxBatchSize, replicas } = stage;
  return { variantId, cpuCores: resources.cpuCores, maxBatchSize, replicas };
}

export function planDiff(
  before: Pick<Plan, 'stages'> | undefined,
  after: Pick<Plan, 'stages'> | undefined,
): readonly StageDiff[] {
  const ids = [...new Set([...Object.keys(before?.stages ?? {}), ...Object.keys(after?.stages ?? {})])];
  return ids.map((stageId) => {
    const [was, is] = [choiceOf(before, stageId), choiceOf(after, stageId)];
    const changed = was === undefined || is === undefined ? [] : FIELDS.filter((field) => was[field] !== is[field]);
    return { stageId, before: was, after: is, changed };
  });
}
