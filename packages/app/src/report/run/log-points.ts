/** Points of a run from its decisions alone: what each tick of the control loop observed. */
import type { DecisionRecord, Observation, Plan, RunningStage, StageId } from '@equipoise/core/model';
import { type Attempt, isInForce } from './plan-change.js';
import type { RunPoint, RunStage } from './run-record.js';

/** Without earlier decisions, the rate is that of the last ten seconds. */
const FIRST_INTERVAL_S = 10;

/** If the clock was set back, the clock of the loop counts, which begins again with the server. */
function secondsSince(before: DecisionRecord | undefined, { atEpochMs, observation }: DecisionRecord): number {
  if (before === undefined) return FIRST_INTERVAL_S;
  const ms = atEpochMs - before.atEpochMs;
  const loopMs = observation.atMs - before.observation.atMs;
  if (ms < 0 && loopMs <= 0) return FIRST_INTERVAL_S;
  return Math.max(1, (ms < 0 ? loopMs : ms) / 1000);
}

export function logPoints(decisions: readonly DecisionRecord[]): readonly RunPoint[] {
  let before: DecisionRecord | undefined;
  let plan: Plan | undefined;
  return decisions.map((record) => {
    const point = pointOf(record, before, plan);
    if (isInForce(record)) plan = (record as Attempt).decision.plan;
    before = record;
    return point;
  });
}

function pointOf(record: DecisionRecord, before: DecisionRecord | undefined, plan: Plan | undefined): RunPoint {
  const { atEpochMs, observation, decision, observed } = record;
  const { runningPlan } = observation;
  const seconds = secondsSince(before, record);
  const windowS = (observed?.windowMs ?? 0) / 1000;
  const forecastUpperRps = decision?.evidence.forecast.upperRps;
  const stages = Object.entries(runningPlan.stages).map(([id, running]) => [
    id,
    stagePoint(
      running,
      droppedOf(observation, before?.observation, id as StageId) / seconds,
      observation.stages[id as StageId],
    ),
  ]);
  return {
    atEpochMs,
    arrivalRps: arrivalRps(observation, seconds),
    ...(forecastUpperRps !== undefined && { forecastUpperRps }),
    ...(observed !== undefined && windowS > 0 && { ...outcomeRates(observed, windowS), ended: endedIn(record) }),
    p50Ms: observed?.latencyMs?.p50 ?? null,
    p99Ms: observed?.latencyMs?.atPercentile ?? null,
    ...(plan !== undefined && { accuracy: plan.predicted.pas, cost: plan.predicted.costPerHour }),
    cpuCores: { planned: liveCores(runningPlan) },
    stages: Object.fromEntries(stages) as Record<string, RunStage>,
  };
}

/** Observed time, which begins when the plan is in force. */
function endedIn({ atEpochMs, outcome, observed }: DecisionRecord): NonNullable<RunPoint['ended']> {
  const fromEpochMs = atEpochMs + (outcome?.kind === 'applied' ? outcome.tookMs : 0);
  return { fromEpochMs, toEpochMs: fromEpochMs + (observed?.windowMs ?? 0) };
}

/** Cores of the replicas that are in service or start. */
const liveCores = ({ stages }: Observation['runningPlan']): number =>
  Object.values(stages)
    .flatMap(({ replicas }) => replicas.filter(({ status }) => status === 'ready' || status === 'starting'))
    .reduce((sum, { resources }) => sum + resources.cpuCores, 0);

function outcomeRates(
  { completed, failed, dropped, sloAttainmentFraction = 1 }: NonNullable<DecisionRecord['observed']>,
  windowS: number,
) {
  const withinSlo = sloAttainmentFraction * (completed + failed + dropped);
  return {
    completedRps: completed / windowS,
    lateRps: Math.max(0, completed - withinSlo) / windowS,
    failedRps: failed / windowS,
    drops: { dropped: dropped / windowS },
  };
}

function arrivalRps({ load: { arrivalsPerSecond } }: Observation, seconds: number): number {
  const last = arrivalsPerSecond.slice(-Math.max(1, Math.round(seconds)));
  return last.length === 0 ? 0 : last.reduce((sum, count) => sum + count, 0) / last.length;
}

/** Drops since the previous decision. A total that fell is of a server that started again. */
function droppedOf({ stages }: Observation, before: Observation | undefined, id: StageId): number {
  const total = stages[id]?.droppedTotal ?? 0;
  const earlier = before?.stages[id]?.droppedTotal ?? 0;
  return total < earlier ? total : total - earlier;
}

function stagePoint(
  { replicas, maxBatchSize }: RunningStage,
  droppedRps: number,
  seen: Observation['stages'][StageId] | undefined,
): RunStage {
  const count = (wanted: string) => replicas.filter(({ status }) => status === wanted).length;
  const running = replicas.filter(({ status }) => status !== 'failed');
  return {
    droppedRps,
    queueLength: seen?.queueLength ?? 0,
    batchLimit: maxBatchSize,
    cpuCores: running.reduce((sum, { resources }) => sum + resources.cpuCores, 0),
    replicas: {
      starting: count('starting'),
      ready: count('ready'),
      draining: count('draining'),
      unhealthy: count('failed'),
    },
  };
}
