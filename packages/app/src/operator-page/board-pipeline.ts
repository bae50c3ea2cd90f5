/** One pipeline of a cluster as the admin port asks for it. Reads what the operator knows when it is asked. */
import { type FollowedPipeline, podsAsRunning } from '@equipoise/adapter-kubernetes';
import { isSamePlan } from '@equipoise/core/control';
import { CountedHistory, HISTORY_SECONDS } from '@equipoise/core/history';
import type {
  ControlMode,
  Decision,
  DecisionRecord,
  Observation,
  PipelineSpec,
  RunningPlan,
} from '@equipoise/core/model';
import { requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import type { DecisionPage } from '@equipoise/core/ports';
import {
  type ActiveFault,
  type ClusterCounts,
  type ClusterPipeline,
  type FrontierAnswer,
  type PlanQuery,
  specDigest,
} from '@equipoise/runtime';
import { BoardDecisions } from './board-decisions.js';
import type { BoardQuestions } from './board-questions.js';

export interface BoardLimits {
  readonly decisions: number;
  readonly historyBytes: number;
}

const LEAST_HISTORY_SECONDS = 60;
/** Without arrivals, a frontier is made for this rate. */
const LEAST_RPS = 1;

type Served = FollowedPipeline['history']['served'];

interface Counted {
  readonly served: Served;
  readonly latencies: FollowedPipeline['history']['latencies'];
}

export class BoardPipeline implements ClusterPipeline {
  readonly name: string;
  readonly log = new BoardDecisions();
  /** The answer whose plan was looked at last; a new answer is another object. */
  noted: FollowedPipeline['answer'] | undefined;
  readonly #questions: BoardQuestions;
  #limits: BoardLimits;
  #seen: FollowedPipeline;
  #counted: CountedHistory;
  #last: Counted;
  #curves: { readonly spec: PipelineSpec; readonly curves: Pick<ServiceCurves, 'curve'> } | undefined;
  #fault: ActiveFault | undefined;
  #decidedAtEpochMs: number | undefined;
  #nowEpochMs = 0;

  constructor(name: string, seen: FollowedPipeline, questions: BoardQuestions, limits: BoardLimits) {
    this.name = name;
    this.#questions = questions;
    this.#limits = limits;
    this.#seen = seen;
    this.#counted = this.#newHistory(seen.spec);
    this.#last = countedNow(seen);
  }

  /** Ends a second. A pipeline with other stages begins a new history. */
  advance(seen: FollowedPipeline, nowEpochMs: number): void {
    const isSameShape = JSON.stringify(shapeOf(seen.spec)) === JSON.stringify(shapeOf(this.#seen.spec));
    if (!isSameShape) this.#counted = this.#newHistory(seen.spec);
    this.#seen = seen;
    this.#nowEpochMs = nowEpochMs;
    this.#noteFault(nowEpochMs);
    const { history, plan, spec, issue } = seen;
    const before = this.#last;
    this.#last = countedNow(seen);
    const { served } = this.#last;
    // A new loop counts from zero.
    const since = served.arrived < before.served.arrived ? undefined : before;
    const within = served.withinSlo - (since?.served.withinSlo ?? 0);
    const completed = served.completed - (since?.served.completed ?? 0);
    const latencies = since?.latencies ?? new Map<number, number>();
    this.#counted.append({
      atEpochMs: nowEpochMs,
      arrived: served.arrived - (since?.served.arrived ?? 0),
      completed,
      late: Math.max(0, completed - within),
      failed: served.failed - (since?.served.failed ?? 0),
      drops: growthOf(served.dropped, since?.served.dropped),
      p50Ms: history.latencySince(latencies, 0.5),
      p99Ms: history.latencySince(latencies, 0.99),
      busyCores: busyCores(seen, since?.served),
      stages: stageGrowth(seen, since?.served),
      runningPlan: this.runningPlan,
      plan: plan?.predicted,
      budgetCores: spec.budget.cpuCores,
      staleSignals: issue === undefined ? 0 : 1,
      decision: this.log.newest?.decision,
    });
  }

  /** Keeps less from now on if more pipelines share the memory. */
  limit(limits: BoardLimits): void {
    this.#limits = limits;
    this.#counted.shorten(this.#historySeconds(this.#seen.spec));
  }

  decided(decision: Decision, observation: Observation, atEpochMs: number): DecisionRecord {
    this.#decidedAtEpochMs = atEpochMs;
    return this.log.add({ decision, observation, mode: this.#mode, atEpochMs }, this.#limits.decisions);
  }

  get spec(): PipelineSpec {
    return this.#seen.spec;
  }

  get status(): ClusterPipeline['status'] {
    const { spec } = this.#seen;
    return { mode: this.#mode, faults: this.#fault === undefined ? [] : [this.#fault], specDigest: specDigest(spec) };
  }

  get ready(): boolean {
    const { conditions = [] } = this.#seen.view.pipeline.status ?? {};
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  }

  /** True once the cluster is ready with the current plan. */
  get hasSettled(): boolean {
    const { plan, view } = this.#seen;
    const { plan: told } = view.pipeline.status ?? {};
    return this.ready && plan !== undefined && told !== undefined && isSamePlan(told.stages, plan.stages);
  }

  get arrivalRps(): number {
    const [from, rows] = [this.#nowEpochMs - 10_000, this.history];
    const points = rows.window({ fromEpochMs: from }).points(HISTORY_SECONDS);
    return points.reduce((sum, { arrivalRps }) => sum + arrivalRps, 0) / Math.max(1, points.length);
  }

  get signals(): ClusterPipeline['signals'] {
    const at = this.#decidedAtEpochMs;
    const decision = { source: 'decision', ...(at !== undefined && { ageMs: Math.max(0, this.#nowEpochMs - at) }) };
    return [...this.#seen.signals, decision];
  }

  get counts(): ClusterCounts {
    const { history, spec } = this.#seen;
    const { arrived, completed, withinSlo, failed, dropped, stages } = history.served;
    const atPercentile = history.window(spec.slo.percentile)?.latencyMs;
    const p50 = history.window(50)?.latencyMs;
    return {
      requests: { arrived, completed, withinSlo, failed, dropped },
      ...(p50 !== undefined && atPercentile !== undefined && { latencyMs: { p50, atPercentile } }),
      stages,
    };
  }

  get runningPlan(): RunningPlan {
    return podsAsRunning(this.#seen);
  }

  get queueLengths(): Readonly<Record<string, number>> {
    const stages = Object.entries(this.#seen.history.stages());
    return Object.fromEntries(stages.map(([id, { queueLength }]) => [id, queueLength]));
  }

  get history(): ClusterPipeline['history'] {
    return this.#counted.history;
  }

  get curves(): Pick<ServiceCurves, 'curve'> {
    const { spec } = this.#seen;
    if (this.#curves?.spec !== spec) this.#curves = { spec, curves: curvesOf(spec) };
    return this.#curves.curves;
  }

  decisions(page: DecisionPage): readonly DecisionRecord[] {
    return this.log.page(page);
  }

  decision(id: number): DecisionRecord | undefined {
    return this.log.find(id);
  }

  whatIf(query: PlanQuery): ReturnType<ClusterPipeline['whatIf']> {
    return this.#questions.whatIf({ ...this.#seen, runningPlan: this.runningPlan }, query);
  }

  frontier(asked?: number): Promise<FrontierAnswer> {
    const { answer } = this.#seen;
    const plannedFor = answer.kind === 'plan' ? answer.arrivalRps : LEAST_RPS;
    return this.#questions.frontier({ ...this.#seen, runningPlan: this.runningPlan }, asked ?? plannedFor);
  }

  get #mode(): ControlMode {
    return this.#seen.spec.control.mode;
  }

  #newHistory(spec: PipelineSpec): CountedHistory {
    return new CountedHistory(spec, this.#historySeconds(spec));
  }

  #historySeconds(spec: PipelineSpec): number {
    const { secondBytes } = new CountedHistory(spec, 1);
    const seconds = Math.floor(this.#limits.historyBytes / secondBytes);
    return Math.min(HISTORY_SECONDS, Math.max(LEAST_HISTORY_SECONDS, seconds));
  }

  /** A fault lasts as long as its reason. */
  #noteFault(nowEpochMs: number): void {
    const found = faultOf(this.#seen);
    if (found === undefined) this.#fault = undefined;
    else {
      const { sinceEpochMs = nowEpochMs } = this.#fault?.step === found.step ? this.#fault : {};
      this.#fault = { ...found, sinceEpochMs, count: 1 };
    }
  }
}

const shapeOf = ({ stages, edges }: PipelineSpec) => [stages.map(({ id }) => id), edges.length];

const countedNow = ({ history }: FollowedPipeline): Counted => ({
  served: history.served,
  latencies: history.latencies,
});

function faultOf({ issue, answer, view }: FollowedPipeline): Pick<ActiveFault, 'step' | 'message'> | undefined {
  if (issue !== undefined)
    return { step: issue.reason === 'PlanningFailed' ? 'decide' : 'observe', message: issue.message };
  if (answer.kind === 'unplanned' && answer.reason !== 'Pending') return { step: 'decide', message: answer.message };
  const { conditions = [] } = view.pipeline.status ?? {};
  const degraded = conditions.find(({ type, status }) => type === 'Degraded' && status === 'True');
  return degraded && { step: 'apply', message: degraded.message };
}

function growthOf(now: Served['dropped'], before: Served['dropped'] = {}): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(now).map(([reason, count]) => [reason, count - (before[reason] ?? 0)]));
}

function stageGrowth({ history }: FollowedPipeline, before: Served | undefined) {
  const queues = history.stages();
  const { stages } = history.served;
  const all = new Set([...Object.keys(stages), ...Object.keys(queues)]);
  const growth = [...all].map((id) => {
    const [now, then] = [stages[id], before?.stages[id]];
    return [
      id,
      {
        items: (now?.items ?? 0) - (then?.items ?? 0),
        batches: (now?.batches ?? 0) - (then?.batches ?? 0),
        dropped: (now?.dropped ?? 0) - (then?.dropped ?? 0),
        queueLength: queues[id]?.queueLength ?? 0,
      },
    ];
  });
  return Object.fromEntries(growth);
}

/** Cores of busy replicas, by the service times of the last second. */
function busyCores({ history, plan }: FollowedPipeline, before: Served | undefined): number {
  const cores = Object.entries(history.served.stages).map(([id, { busyMs }]) => {
    const [planned] = plan?.stages[id as keyof typeof plan.stages] ?? [];
    return ((busyMs - (before?.stages[id]?.busyMs ?? 0)) / 1000) * (planned?.resources.cpuCores ?? 1);
  });
  return cores.reduce((sum, each) => sum + each, 0);
}

/** No curves for a spec without profiles. */
function curvesOf(spec: PipelineSpec): Pick<ServiceCurves, 'curve'> {
  try {
    return requireCurves(spec, []);
  } catch {
    return { curve: () => undefined };
  }
}
