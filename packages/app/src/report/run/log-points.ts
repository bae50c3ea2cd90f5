/** Points of a run from its decisions alone: what each tick of the control loop observed. */
import type { DecisionRecord, Observation, ObservedOutcome, Plan, RunningStage, StageId } from '@equipoise/core/model';
import { type Attempt, isInForce } from './plan-change.js';
import type { EndedRequests, OutcomeWindow, RunPoint, RunStage } from './run-record.js';

/** Without earlier decisions, the rate is that of the last ten seconds. */
const FIRST_INTERVAL_S = 10;

/** Observed times have whole seconds, so they meet to within a second. */
export const MEETING_MS = 1000;

/** If the clock was set back, the clock of the loop counts, which begins again with the server. */
function secondsSince(before: DecisionRecord | undefined, { atEpochMs, observation }: DecisionRecord): number {
  if (before === undefined) return FIRST_INTERVAL_S;
  const ms = atEpochMs - before.atEpochMs;
  const loopMs = observation.atMs - before.observation.atMs;
  if (ms < 0 && loopMs <= 0) return FIRST_INTERVAL_S;
  return Math.max(1, (ms < 0 ? loopMs : ms) / 1000);
}

/** Points of what each decision saw, and of the requests whose observed time was over by then. */
export function logPoints(decisions: readonly DecisionRecord[]): readonly RunPoint[] {
  let before: DecisionRecord | undefined;
  let plan: Plan | undefined;
  let waiting: readonly OutcomeWindow[] = [];
  const points = decisions.map((record): RunPoint => {
    const { atEpochMs } = record;
    const isSetBack = atEpochMs < (before?.atEpochMs ?? atEpochMs);
    const isOver = ({ toEpochMs }: OutcomeWindow) => isSetBack || toEpochMs <= atEpochMs + MEETING_MS;
    const outcome = waiting.findLast(isOver);
    waiting = [...waiting.filter((each) => !isOver(each)), ...logOutcomes([record])];
    const point = { ...pointOf(record, before), ...outcome?.ended, ...inForce(plan) };
    if (isInForce(record)) plan = (record as Attempt).decision.plan;
    before = record;
    return point;
  });
  const last = waiting.at(-1);
  return last === undefined ? points : [...points, { ...endPoint(last), ...inForce(plan) }];
}

/** Observed times after decisions, each from the moment at which the plan was in force. */
export function logOutcomes(decisions: readonly DecisionRecord[]): readonly OutcomeWindow[] {
  return decisions.flatMap(({ atEpochMs, outcome, observed }) => {
    if (observed === undefined || observed.windowMs <= 0) return [];
    const fromEpochMs = atEpochMs + (outcome?.kind === 'applied' ? outcome.tookMs : 0);
    const span = { decidedAtEpochMs: atEpochMs, fromEpochMs, toEpochMs: fromEpochMs + observed.windowMs };
    return [{ ...span, arrivalRps: observed.arrivalRps, ended: endedRequests(observed) }];
  });
}

/** The end of the last observed time, at which no decision looked. */
const endPoint = ({ toEpochMs, arrivalRps, ended }: OutcomeWindow): RunPoint => ({
  ...{ atEpochMs: toEpochMs, arrivalRps, cpuCores: {}, stages: {} },
  ...ended,
});

const inForce = (plan: Plan | undefined): Pick<RunPoint, 'accuracy' | 'cost'> =>
  plan === undefined ? {} : { accuracy: plan.predicted.pas, cost: plan.predicted.costPerHour };

function pointOf(record: DecisionRecord, before: DecisionRecord | undefined): RunPoint {
  const { atEpochMs, observation, decision } = record;
  const { runningPlan } = observation;
  const seconds = secondsSince(before, record);
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
    cpuCores: { planned: liveCores(runningPlan) },
    stages: Object.fromEntries(stages) as Record<string, RunStage>,
  };
}

/** Cores of the replicas that are in service or start. */
const liveCores = ({ stages }: Observation['runningPlan']): number =>
  Object.values(stages)
    .flatMap(({ replicas }) => replicas.filter(({ status }) => status === 'ready' || status === 'starting'))
    .reduce((sum, { resources }) => sum + resources.cpuCores, 0);

function endedRequests({
  windowMs,
  completed,
  failed,
  dropped,
  sloAttainmentFraction = 1,
  latencyMs,
}: ObservedOutcome): EndedRequests {
  const s = windowMs / 1000;
  const withinSlo = sloAttainmentFraction * (completed + failed + dropped);
  return {
    completedRps: completed / s,
    lateRps: Math.max(0, completed - withinSlo) / s,
    failedRps: failed / s,
    drops: { dropped: dropped / s },
    p50Ms: latencyMs?.p50 ?? null,
    p99Ms: latencyMs?.atPercentile ?? null,
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
