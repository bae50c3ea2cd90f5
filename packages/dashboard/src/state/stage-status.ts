/** The state of a stage in few facts, from the running plan, the rates and the plan; or from a replayed point. */
import type { HistoryPoint, HistoryStage, Plan, RunningPlan, RunningStage } from '../api/answers.js';
import type { Rates } from './rates.js';

export interface ReplicaCounts {
  readonly starting: number;
  readonly ready: number;
  readonly draining: number;
  readonly unhealthy: number;
}

export interface StageStatus {
  readonly variantId: string | undefined;
  readonly cpuCores: number | undefined;
  readonly replicas: ReplicaCounts;
  /** Replicas that the plan wants; undefined if no plan is known. */
  readonly desired: number | undefined;
  readonly maxBatchSize: number | undefined;
  readonly queueLength: number;
  readonly itemsRps: number | undefined;
  /** Mean batch size ÷ the largest. */
  readonly batchFill: number | undefined;
  readonly waitMs: number | undefined;
  readonly runMs: number | undefined;
  readonly p99Ms: number | undefined;
  readonly droppedRps: number;
  readonly level: 'ok' | 'warn' | 'bad';
  readonly note: string | undefined;
}

function replicaCounts({ replicas }: Pick<RunningStage, 'replicas'>): ReplicaCounts {
  const of = (status: string) => replicas.filter((replica) => replica.status === status).length;
  return { starting: of('starting'), ready: of('ready'), draining: of('draining'), unhealthy: of('failed') };
}

/** The variant of most ready replicas. */
function mainVariant({ replicas }: Pick<RunningStage, 'replicas'>): string | undefined {
  const counts = new Map<string, number>();
  const ready = replicas.filter(({ status }) => status === 'ready');
  for (const { variantId } of ready.length > 0 ? ready : replicas)
    counts.set(variantId, (counts.get(variantId) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

export interface StatusInput {
  readonly running: RunningPlan | undefined;
  readonly rates: Rates | undefined;
  readonly plan: Plan | undefined;
  readonly replayed: HistoryPoint | undefined;
  readonly latest: HistoryPoint | undefined;
}

export function stageStatus(id: string, input: StatusInput): StageStatus {
  const past = input.replayed?.stages[id];
  const facts = past === undefined ? liveFacts(id, input) : pastFacts(past);
  const isOmitted = input.running?.stages[id]?.omitted === true;
  // A point does not tell if the plan of its time omitted the stage. Replicas show that it did not.
  return { ...facts, ...judge(facts, isOmitted && (past === undefined || !hasReplicas(facts))) };
}

/** A plan may have several variants of a stage. */
export const desiredReplicas = (plan: Plan | undefined, stageId: string): number | undefined =>
  plan?.stages[stageId as never]?.reduce((sum, { replicas }) => sum + replicas, 0);

type Facts = Omit<StageStatus, 'level' | 'note'>;

const NO_REPLICAS: ReplicaCounts = { starting: 0, ready: 0, draining: 0, unhealthy: 0 };

function liveFacts(id: string, { running, rates, plan, latest }: StatusInput): Facts {
  const stage = running?.stages[id];
  const rate = rates?.stages[id];
  const variantId = stage && mainVariant(stage);
  const main = stage?.replicas.find((replica) => replica.variantId === variantId);
  const maxBatchSize = stage?.maxBatchSize;
  return {
    ...{ variantId, maxBatchSize, waitMs: rate?.waitMs, runMs: rate?.runMs, itemsRps: rate?.itemsRps },
    cpuCores: main?.resources.cpuCores,
    replicas: stage ? replicaCounts(stage) : NO_REPLICAS,
    desired: desiredReplicas(plan, id),
    queueLength: stage?.queueLength ?? 0,
    batchFill: batchFill(rate?.batchSize, maxBatchSize),
    p99Ms: latest?.stages[id]?.p99Ms ?? undefined,
    droppedRps: (rate?.droppedRps ?? 0) + (rate?.failedRps ?? 0),
  };
}

/** Unknown if the mean is above the limit: then some of the batches are of an earlier plan with larger ones. */
function batchFill(meanBatchSize: number | undefined, maxBatchSize: number | undefined): number | undefined {
  if (meanBatchSize === undefined || !maxBatchSize || meanBatchSize > maxBatchSize) return undefined;
  return meanBatchSize / maxBatchSize;
}

/** A point has no variants: only what it counts is shown. */
function pastFacts({ replicas, queueLength, arrivalRps, droppedRps = 0, batchFill, p99Ms }: HistoryStage): Facts {
  return {
    ...{ replicas, queueLength, itemsRps: arrivalRps, droppedRps },
    batchFill: batchFill ?? undefined,
    p99Ms: p99Ms ?? undefined,
    ...{ variantId: undefined, cpuCores: undefined, desired: undefined, maxBatchSize: undefined },
    ...{ waitMs: undefined, runMs: undefined },
  };
}

const hasReplicas = ({ replicas }: Facts): boolean => Object.values(replicas).some((count) => count > 0);

type Judged = Pick<StageStatus, 'replicas' | 'queueLength' | 'maxBatchSize' | 'droppedRps'>;

function judge(facts: Judged, isOmitted: boolean): Pick<StageStatus, 'level' | 'note'> {
  const { replicas, queueLength, maxBatchSize = 1, droppedRps } = facts;
  if (isOmitted) return { level: 'ok', note: 'omitted by the plan' };
  if (replicas.ready === 0) return { level: 'bad', note: replicas.starting > 0 ? 'starting' : 'no ready replica' };
  if (replicas.unhealthy > 0) return { level: 'bad', note: `${replicas.unhealthy} unhealthy` };
  if (droppedRps > 0) return { level: 'bad', note: 'dropping' };
  // More than two full batches wait for every replica.
  if (queueLength > 2 * maxBatchSize * replicas.ready) return { level: 'warn', note: 'queue grows' };
  if (replicas.starting > 0) return { level: 'warn', note: 'scaling' };
  return { level: 'ok', note: undefined };
}
