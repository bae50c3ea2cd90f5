/**
 * Endpoints of the admin port: functions from a request to an answer. They need no socket and refuse by throwing an
 * AppError.
 */
import type { HistoryRecorder, LatencyBucket } from '@equipoise/core/history';
import {
  AppError,
  type DecisionRecord,
  type DecisionSummary,
  type PipelineSpec,
  type StageId,
} from '@equipoise/core/model';
import type { Actuator } from '@equipoise/core/ports';
import type { SourceCounts } from '@equipoise/core/serve';
import type { z } from 'zod';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { PipelineControl } from '../loop/pipeline-control.js';
import type { PipelineDiagnosis } from '../loop/pipeline-diagnosis.js';
import { type Answer, ok } from '../net/answer.js';
import { actionResult } from './action-result.js';
import {
  type applyBody,
  type clearQuarantineBody,
  defined,
  type historyQuery,
  type pageQuery,
  type pinBody,
  type planBody,
  type reasonBody,
  type requestsQuery,
  type unpinBody,
  type whyBody,
} from './admin-bodies.js';
import type { CountWork, SlicedWork } from './sliced-work.js';

export interface AdminPipeline {
  readonly spec: PipelineSpec;
  readonly runner: Pick<PipelineRunner, 'ready' | 'nowMs' | 'statistics' | 'inFlight' | 'stageCounts'> &
    Pick<PipelineRunner, 'edgeCounts' | 'quarantinedInputs' | 'clearQuarantine' | 'tracer' | 'partCounts'>;
  readonly actuator: Pick<Actuator, 'runningPlan'>;
  readonly control: PipelineControl;
  readonly history: Pick<HistoryRecorder, 'history' | 'latencies' | 'signals'>;
  readonly diagnosis: Pick<PipelineDiagnosis, 'why'>;
}

/** `body` and `query` conform to the schemas of the route. */
export interface AdminRequest<Body = unknown, Pipeline = AdminPipeline> {
  readonly pipelines: ReadonlyMap<string, Pipeline>;
  readonly names: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly query: Readonly<Record<string, unknown>>;
  /** Writes long lists. */
  readonly slices: Pick<SlicedWork, 'listText'>;
  /** Counts work between two waits. The work before the first and after the last wait is counted for all endpoints. */
  readonly countWork: CountWork;
}

/** Makes the answer of an endpoint after its last wait. */
export type AnswerStep = () => Answer;

/** An endpoint that waits resolves with its last step, so that the port can count the time of this step, too. */
export type AdminEndpoint<Body, Pipeline = AdminPipeline> = (
  request: AdminRequest<Body, Pipeline>,
) => Answer | Promise<AnswerStep>;

type WithBody<Schema extends z.ZodType> = AdminEndpoint<z.output<Schema>>;

const RATE_SECONDS = 10;

export const pipelines: AdminEndpoint<unknown> = ({ pipelines: all }) =>
  ok({ pipelines: [...all.values()].map(pipelineFacts) });

export const pipeline: AdminEndpoint<unknown> = (call) => ok(pipelineFacts(pipelineOf(call)));

export const runningPlan: AdminEndpoint<unknown> = (call) => {
  const { actuator, runner } = pipelineOf(call);
  const counts = runner.stageCounts();
  const stages = Object.entries(actuator.runningPlan().stages).map(([id, stage]) => [
    id,
    { ...stage, queueLength: counts[id as StageId]?.queueLength ?? 0 },
  ]);
  return ok({ stages: Object.fromEntries(stages) });
};

export const sources: AdminEndpoint<unknown> = (call) => {
  const { spec, runner } = pipelineOf(call);
  const { sources: counts, waiting } = runner.partCounts;
  const all = spec.sources.map(({ name, onMissing, share = 1, latest }, index) => ({
    name,
    onMissing: onMissing ?? 'fail',
    statedShare: share,
    ...(counts[index] && { parts: counts[index], fractions: partFractions(counts[index], latest !== undefined) }),
  }));
  return ok({ waiting, sources: all });
};

/** `joined` of the requests that begin; the others of the parts that have ended. 0 without any. */
function partFractions({ joined, missing, unmatched, late, duplicate, kept, dropped }: SourceCounts, isKept: boolean) {
  const parts = unmatched + late + duplicate + kept + dropped + (isKept ? 0 : joined);
  const fraction = (count: number, all: number): number => (all === 0 ? 0 : count / all);
  return {
    joined: fraction(joined, joined + missing),
    missing: fraction(missing, joined + missing),
    unmatched: fraction(unmatched, parts),
    late: fraction(late, parts),
  };
}

export const quarantine: AdminEndpoint<unknown> = (call) => ok({ inputs: pipelineOf(call).runner.quarantinedInputs() });

export const clearQuarantine: WithBody<typeof clearQuarantineBody> = (call) => {
  const { spec, runner } = pipelineOf(call);
  const { stageId } = call.body;
  const stages = spec.stages.map(({ id }) => id).filter((id) => stageId === undefined || id === stageId);
  if (stages.length === 0)
    throw new AppError(
      'NOT_FOUND',
      `The pipeline has no such stage; it has ${spec.stages.map(({ id }) => id).join(', ')}.`,
    );
  return ok({ freed: stages.reduce((sum, id) => sum + runner.clearQuarantine(id), 0) });
};

export const plan: WithBody<typeof planBody> = async (call) => {
  const query = { ...call.body, policy: 'equipoise' as const };
  const found = await pipelineOf(call).control.whatIf(defined(query));
  return () => ok(found);
};

export const history: AdminEndpoint<unknown> = (call) => {
  const { maxPoints, ...range } = call.query as z.output<typeof historyQuery>;
  const recorder = pipelineOf(call).history;
  const latencies = recorder.latencies.window(range);
  return historyAnswer(call, recorder.history.window(range), { maxPoints, latencies });
};

/** An hour in seconds is several MB, so it is written in slices. */
export async function historyAnswer(
  { slices }: Pick<AdminRequest, 'slices'>,
  window: Pick<ReturnType<HistoryRecorder['history']['window']>, 'eachPoint' | 'stepMs'>,
  { maxPoints, latencies }: { readonly maxPoints: number; readonly latencies: readonly LatencyBucket[] },
): Promise<AnswerStep> {
  const points = await slices.listText(window.eachPoint(maxPoints));
  const stepMs = window.stepMs(maxPoints);
  return () => ({
    status: 200,
    text: `{"stepMs":${stepMs},"points":${points},"latencies":${JSON.stringify(latencies)}}`,
  });
}

export const why: WithBody<typeof whyBody> = async (call) => {
  const card = await pipelineOf(call).diagnosis.why(call.body, call.countWork);
  return () => ok(card);
};

export const decisions: AdminEndpoint<unknown> = async (call) => {
  const { limit, before } = call.query as z.output<typeof pageQuery>;
  const page = { limit, ...(before !== undefined && { beforeId: before }) };
  const found = await pipelineOf(call).control.decisionSummaries(page);
  return () => decisionPage(found, limit);
};

type ListedDecision = Omit<DecisionSummary, 'runningPlan'>;

/** A page of the decision log; a full page names the next. */
export function decisionPage(found: readonly ListedDecision[], limit: number): Answer {
  const last = found.length === limit ? found.at(-1)?.id : undefined;
  return ok({ decisions: found.map(listed), ...(last !== undefined && { nextBefore: last }) });
}

export const decision: AdminEndpoint<unknown> = async (call) => {
  const found = await pipelineOf(call).control.decision(decisionNumber(call));
  return () => ok(found);
};

/** Throws AppError NOT_FOUND unless the path has a number. */
export function decisionNumber({ names }: Pick<AdminRequest, 'names'>): number {
  const id = Number(names['decision']);
  if (Number.isSafeInteger(id) && id >= 1) return id;
  throw new AppError('NOT_FOUND', `A decision has a number; ${names['decision']} is none.`);
}

export const requests: AdminEndpoint<unknown> = (call) => {
  const { slowest, limit } = call.query as z.output<typeof requestsQuery>;
  const { tracer, nowMs } = pipelineOf(call).runner;
  const found = slowest === 'true' ? tracer?.slowest(limit, nowMs) : tracer?.newest(limit);
  return ok({ tracing: tracer !== undefined, requests: found ?? [] });
};

export const pause: WithBody<typeof reasonBody> = (call) => acted(call, (control) => control.pause(call.body.reason));

export const resume: WithBody<typeof reasonBody> = (call) => acted(call, (control) => control.resume(call.body.reason));

export const advise: WithBody<typeof reasonBody> = (call) => acted(call, (control) => control.advise(call.body.reason));

export const pin: WithBody<typeof pinBody> = (call) => {
  const { stageId, reason, ...pins } = call.body;
  return acted(call, (control) => control.pin(stageId, defined(pins), reason));
};

export const unpin: WithBody<typeof unpinBody> = (call) =>
  acted(call, (control) => control.unpin(call.body.stageId, call.body.reason));

export const apply: WithBody<typeof applyBody> = async (call) => {
  const { control } = pipelineOf(call);
  const { decisionId, stages = {}, reason, canary } = call.body;
  const facts = { ...(reason !== undefined && { reason }), ...(canary === false && { canary }) };
  const record =
    decisionId === undefined
      ? await control.applyStages(stages, facts)
      : await control.applyDecision(decisionId, facts);
  return () => done(record);
};

export const rollBack: WithBody<typeof reasonBody> = async (call) => {
  const record = await pipelineOf(call).control.rollBack(call.body.reason);
  return () => done(record);
};

/** Answers once the action is persisted. */
async function acted(call: AdminRequest, act: (control: PipelineControl) => DecisionRecord): Promise<AnswerStep> {
  const { control } = pipelineOf(call);
  const record = act(control);
  await control.written();
  return () => done(record);
}

/** Answer without observation, input and evidence, which are long. The decision log has them. */
function done(record: DecisionRecord): Answer {
  const { observation: _, input: __, decision, ...facts } = record;
  const warning = record.manual?.warning;
  const { evidence: ___, ...decided } = decision ?? { evidence: undefined };
  return ok({
    result: actionResult(record),
    ...(warning && { warning }),
    ...facts,
    ...(decision !== undefined && { decision: decided }),
  });
}

export const pipelineOf = ({ pipelines: all, names }: Pick<AdminRequest, 'pipelines' | 'names'>): AdminPipeline =>
  pipelineNamed(all, names['pipeline'] ?? '');

/** Finds a pipeline by name. AppError NOT_FOUND lists the served pipelines. */
export function pipelineNamed<Pipeline>(all: ReadonlyMap<string, Pipeline>, name: string): Pipeline {
  const found = all.get(name);
  if (found !== undefined) return found;
  const served = [...all.keys()];
  throw new AppError('NOT_FOUND', `No pipeline of this name is served; served: ${served.join(', ')}.`, {
    details: { pipelines: served },
  });
}

function pipelineFacts({ spec, runner, control, history }: AdminPipeline) {
  const { name, slo, budget, objective } = spec;
  const { total } = runner.statistics;
  const recent = runner.statistics.arrivalsPerSecond(runner.nowMs).slice(-RATE_SECONDS);
  const { arrived, completed, withinSlo, failed, dropped } = total;
  return {
    name,
    ...control.status,
    ready: runner.ready,
    slo,
    budget,
    objective,
    inFlight: runner.inFlight,
    arrivalRps: recent.reduce((sum, count) => sum + count, 0) / Math.max(1, recent.length),
    requests: { arrived, completed, withinSlo, failed, dropped },
    signals: history.signals(runner.nowMs),
  };
}

function listed({ id, atEpochMs, trigger, mode, manual, decision: taken, outcome, observed }: ListedDecision) {
  const { kind, reason } = taken ?? {};
  return { id, atEpochMs, trigger, mode, kind, reason, manual, outcome, observed };
}
