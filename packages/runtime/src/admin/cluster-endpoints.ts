/**
 * The admin port of an operator: the same documents, about pipelines of a cluster. What an operator does not know or may
 * not change, it refuses in words that say where it is known or changed.
 */
import type { CountedHistory, SignalAge } from '@equipoise/core/history';
import { AppError, type DecisionRecord, type PipelineSpec, type RunningPlan } from '@equipoise/core/model';
import type { ServiceCurves } from '@equipoise/core/plan';
import type { DecisionPage } from '@equipoise/core/ports';
import type { z } from 'zod';
import type { ControlStatus, FrontierAnswer, PipelineControl, PlanQuery } from '../loop/pipeline-control.js';
import { ok } from '../net/answer.js';
import { defined, type frontierQuery, type historyQuery, type pageQuery, type planBody } from './admin-bodies.js';
import {
  type AdminEndpoint,
  type AdminRequest,
  decisionNumber,
  decisionPage,
  historyAnswer,
  pipelineNamed,
} from './admin-endpoints.js';
import { type AdminRoute, adminRoutes } from './admin-routes.js';
import { graphFacts } from './graph-endpoints.js';
import { frontierFacts, profileFacts } from './plan-endpoints.js';

/** Counts since the operator watches the pipeline. */
export interface ClusterCounts {
  readonly requests: {
    readonly arrived: number;
    readonly completed: number;
    readonly withinSlo: number;
    readonly failed: number;
    readonly dropped: Readonly<Record<string, number>>;
  };
  readonly latencyMs?: { readonly p50: number; readonly atPercentile: number };
  readonly stages: Readonly<
    Record<
      string,
      { readonly items: number; readonly batches: number; readonly busyMs: number; readonly dropped: number }
    >
  >;
}

/** A pipeline that an operator follows. `name` joins namespace and name. */
export interface ClusterPipeline {
  readonly name: string;
  readonly spec: PipelineSpec;
  readonly status: Omit<ControlStatus, 'fixed' | 'pins' | 'lostPins'>;
  readonly ready: boolean;
  readonly arrivalRps: number;
  readonly signals: readonly SignalAge[];
  readonly counts: ClusterCounts;
  readonly runningPlan: RunningPlan;
  readonly queueLengths: Readonly<Record<string, number>>;
  readonly history: CountedHistory['history'];
  readonly curves: Pick<ServiceCurves, 'curve'>;
  decisions(page: DecisionPage): readonly DecisionRecord[];
  /** Undefined for a decision that was never made or is no longer kept. */
  decision(id: number): DecisionRecord | undefined;
  whatIf(query: PlanQuery): ReturnType<PipelineControl['whatIf']>;
  frontier(arrivalRps?: number): Promise<FrontierAnswer>;
}

export type ClusterPipelines = ReadonlyMap<string, ClusterPipeline>;

type ClusterRequest<Body = unknown> = AdminRequest<Body, ClusterPipeline>;

type ClusterEndpoint = AdminEndpoint<never, ClusterPipeline>;

/** Parts of the page that are not here, with the place where they are. */
const elsewhere = {
  actions:
    'An operator follows the InferencePipeline object, so change that object: `kubectl edit inferencepipeline NAME`. The mode is spec.control.mode (auto, advise, off), pins are spec.stages[].pins. To roll back, apply the earlier version of the object; a failed canary is rolled back by the operator.',
  requests:
    'The routers see the requests, not the operator. They send traces to a collector if OTEL_EXPORTER_OTLP_ENDPOINT is set for them.',
  why: 'A diagnosis needs single replicas second by second, which the routers do not report to the operator. See the time series and the conditions of the pipeline: `kubectl describe inferencepipeline NAME`.',
  sources: 'The routers join the parts of a request. Their metric equipoise_source_parts_total counts the parts.',
  quarantine: 'Each router has its own quarantine. Its metric is equipoise_inputs_quarantined_total.',
} as const;

const pipelineOf = ({ pipelines, names }: Pick<ClusterRequest, 'pipelines' | 'names'>): ClusterPipeline =>
  pipelineNamed(pipelines, names['pipeline'] ?? '');

function facts({ name, spec, status, ready, arrivalRps, counts, signals }: ClusterPipeline) {
  const { slo, budget, objective } = spec;
  const { requests } = counts;
  return {
    name,
    ...status,
    fixed: false,
    pins: {},
    ready,
    ...{ slo, budget, objective },
    inFlight: inFlight(requests),
    arrivalRps,
    requests,
    signals,
    elsewhere,
  };
}

const endpoints: Readonly<Record<string, ClusterEndpoint>> = {
  pipelines: ({ pipelines }) => ok({ pipelines: [...pipelines.values()].map(facts) }),
  pipeline: (call) => ok(facts(pipelineOf(call))),
  runningPlan: (call) => {
    const { runningPlan, queueLengths } = pipelineOf(call);
    const stages = Object.entries(runningPlan.stages).map(([id, stage]) => [
      id,
      { ...stage, queueLength: queueLengths[id] ?? 0 },
    ]);
    return ok({ stages: Object.fromEntries(stages) });
  },
  graph: (call) => ok(graphFacts(pipelineOf(call).spec)),
  counts: (call) => ok(countFacts(pipelineOf(call))),
  history: (call) => {
    const { maxPoints, ...range } = call.query as z.output<typeof historyQuery>;
    return historyAnswer(call, pipelineOf(call).history.window(range), { maxPoints, latencies: [] });
  },
  frontier: async (call) => {
    const { arrivalRps } = call.query as z.output<typeof frontierQuery>;
    const found = await pipelineOf(call).frontier(arrivalRps);
    return () => ok(frontierFacts(found));
  },
  profiles: (call) => {
    const { spec, curves } = pipelineOf(call);
    return ok(profileFacts(spec, { profiles: [], curves }));
  },
  plan: async (call: ClusterRequest<z.output<typeof planBody>>) => {
    const found = await pipelineOf(call).whatIf(defined({ ...call.body, policy: 'equipoise' as const }));
    return () => ok(found);
  },
  decisions: (call) => {
    const query = call.query as z.output<typeof pageQuery>;
    const { limit, before } = query;
    return decisionPage(
      pipelineOf(call).decisions({ limit, ...(before !== undefined && { beforeId: before }) }),
      limit,
    );
  },
  decision: (call) => {
    const id = decisionNumber(call);
    const found = pipelineOf(call).decision(id);
    if (found === undefined) throw new AppError('NOT_FOUND', `There is no decision ${id}, or it is no longer kept.`);
    return ok(found);
  },
};

/** Requests of the counted ones that have not ended. */
function inFlight({ arrived, completed, failed, dropped }: ClusterCounts['requests']): number {
  const ended = completed + failed + Object.values(dropped).reduce((sum, count) => sum + count, 0);
  return Math.max(0, arrived - ended);
}

function countFacts({ counts, queueLengths }: ClusterPipeline) {
  const { requests, latencyMs, stages } = counts;
  const all = new Set([...Object.keys(stages), ...Object.keys(queueLengths)]);
  const counted = [...all].map((id) => {
    const { items = 0, batches = 0, busyMs = 0, dropped = 0 } = stages[id] ?? {};
    return [
      id,
      { queueLength: queueLengths[id] ?? 0, items, batches, busyMs, failedItems: 0, dropped: { all: dropped } },
    ];
  });
  return {
    ...{ atEpochMs: Date.now(), inFlight: inFlight(requests), requests },
    ...(latencyMs && { latencyMs }),
    stages: Object.fromEntries(counted),
    edges: [],
  };
}

/** The routes of `serve`, answered for a cluster. */
export const clusterRoutes: readonly AdminRoute<ClusterPipeline>[] = adminRoutes.map((route) => ({
  ...route,
  endpoint: endpoints[route.id] ?? refusing(route.id),
}));

function refusing(id: string): ClusterEndpoint {
  const part = id === 'clearQuarantine' ? 'quarantine' : id;
  const text = part in elsewhere ? elsewhere[part as keyof typeof elsewhere] : elsewhere.actions;
  return (call) => {
    const { name } = pipelineOf(call);
    throw new AppError('CONFLICT', `The operator does not do this for ${name}. ${text}`);
  };
}
