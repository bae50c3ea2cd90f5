/** Differences between two plans, stage by stage, in the order of the graph. */
import type { Plan } from '../api/answers.js';

/** `threshold` and `quorum`: undefined if the plan does not choose them. */
export interface StageChoice {
  readonly variantId: string;
  readonly replicas: number;
  readonly cpuCores: number | undefined;
  readonly maxBatchSize: number | undefined;
  readonly threshold: number | undefined;
  readonly quorum: number | undefined;
}

export interface StageDiff {
  readonly stageId: string;
  readonly before: StageChoice | undefined;
  readonly after: StageChoice | undefined;
  readonly changed: readonly (keyof StageChoice)[];
}

/** In place of the variant of a stage that the plan omits. */
const OMITTED = 'omitted';

const FIELDS = ['variantId', 'replicas', 'cpuCores', 'maxBatchSize', 'threshold', 'quorum'] as const;

function choiceOf(plan: Pick<Plan, 'stages'> | undefined, stageId: string): StageChoice | undefined {
  const stage = plan?.stages[stageId as never]?.[0];
  if (stage === undefined) return undefined;
  const { variantId, resources, maxBatchSize, replicas, threshold, quorum } = stage;
  if (replicas === 0)
    return { variantId: OMITTED, replicas, cpuCores: undefined, maxBatchSize: undefined, threshold, quorum };
  return { variantId, replicas, cpuCores: resources.cpuCores, maxBatchSize, threshold, quorum };
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

/** Variants of a plan in the order of the stages. */
export const variantsText = ({ stages }: Pick<Plan, 'stages'>): string =>
  Object.keys(stages)
    .map((stageId) => choiceOf({ stages }, stageId)?.variantId ?? OMITTED)
    .join(' · ');
