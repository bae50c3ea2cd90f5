/** Plans and frontiers for assumptions, in a thread of their own: they must not delay the decisions of the operator. */
import { diffPlans, runningAsPlan } from '@equipoise/core/control';
import {
  AppError,
  largestShare,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  planOfRouters,
  type RouterSplit,
  type RunningPlan,
} from '@equipoise/core/model';
import {
  type FrontierAnswer,
  invalidFields,
  Planner,
  PlannerPool,
  type PlanQuery,
  pinProblems,
} from '@equipoise/runtime';

export interface AskedPipeline {
  readonly spec: PipelineSpec;
  /** One of the routers, for which plans are made. */
  readonly planned: { readonly spec: PipelineSpec; readonly split: RouterSplit };
  readonly runningPlan: RunningPlan;
}

const SEED = 1;
const MOST_QUERIES = 4;
/** Bounds the work of a frontier: each point is searched and simulated. */
const FRONTIER_POINTS = 16;

export class BoardQuestions {
  readonly #threads = new PlannerPool({ serves: true });
  #queries = 0;

  async whatIf({ spec, planned, runningPlan }: AskedPipeline, { arrivalRps, policy, verify, ...assuming }: PlanQuery) {
    checkPins(spec, assuming.pins);
    const { split } = planned;
    const question = { kind: 'plan', policy, verify, arrivalRps: largestShare(split) * arrivalRps, assuming } as const;
    const asked = await this.#asking(planned.spec, (planner) => planner.ask(question));
    const result = ofRouters(asked, split);
    const wanted = result.kind === 'feasible' ? result.plan : result.bestEffort;
    return { result, changes: wanted === undefined ? [] : diffPlans(runningPlan, wanted, spec) };
  }

  async frontier({ spec, planned, runningPlan }: AskedPipeline, arrivalRps: number): Promise<FrontierAnswer> {
    const { split } = planned;
    const question = {
      kind: 'frontier',
      arrivalRps: largestShare(split) * arrivalRps,
      mostPoints: FRONTIER_POINTS,
    } as const;
    const asked = await this.#asking(planned.spec, (planner) => planner.ask(question));
    const front =
      asked.kind === 'frontier'
        ? { ...asked, points: asked.points.map((point) => pointOfRouters(point, split)) }
        : ofRouters(asked, split);
    return { arrivalRps, front, current: runningAsPlan(spec, runningPlan)?.predicted };
  }

  /** Bounds the questions that wait. A thread lives only as long as its questions. */
  async #asking<Result>(spec: PipelineSpec, ask: (planner: Planner) => Promise<Result>): Promise<Result> {
    if (this.#queries >= MOST_QUERIES)
      throw new AppError('CONFLICT', `Not possible now: ${MOST_QUERIES} questions already wait for the planner.`);
    this.#queries += 1;
    const setup = { spec, profiles: [], hostCores: Number.POSITIVE_INFINITY, seed: SEED };
    const planner = new Planner(setup, this.#threads);
    try {
      return await ask(planner);
    } finally {
      this.#queries -= 1;
      await planner.close();
    }
  }
}

function checkPins(spec: PipelineSpec, pins: PlanQuery['pins'] = {}): void {
  for (const [id, of] of Object.entries(pins)) {
    const stage = spec.stages.find((each) => each.id === id);
    if (stage === undefined)
      throw invalidFields('This cannot be pinned', [
        {
          path: `pins.${id}`,
          message: `there is no stage ${id}; there are ${spec.stages.map((each) => each.id).join(', ')}`,
        },
      ]);
    const problems = pinProblems({ spec, stage }, of, `pins.${id}`);
    if (problems.length > 0) throw invalidFields('This cannot be pinned', problems);
  }
}

function ofRouters(result: PlanResult, split: RouterSplit): PlanResult {
  if (split.count === 1) return result;
  if (result.kind === 'feasible') return { ...result, plan: planOfRouters(result.plan, split) };
  return result.bestEffort === undefined ? result : { ...result, bestEffort: planOfRouters(result.bestEffort, split) };
}

interface FrontPoint {
  readonly plan: Plan;
  readonly costPerHour: number;
  readonly cpuCores: number;
}

function pointOfRouters<Point extends FrontPoint>(point: Point, split: RouterSplit): Point {
  if (split.count === 1) return point;
  const plan = planOfRouters(point.plan, split);
  const { costPerHour, cpuCores } = plan.predicted;
  return { ...point, plan, costPerHour, cpuCores };
}
