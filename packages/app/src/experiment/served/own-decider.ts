/** Asks a user's policy in its thread, and turns its plans into decisions of the control loop. */
import {
  diffPlans,
  diffUnderWay,
  isSamePlan,
  type PolicyObservation,
  replicaCounts,
  type TickAnswer,
} from '@equipoise/core/control';
import { smoothedRate } from '@equipoise/core/forecast';
import { AppError, type Observation, type PipelineSpec, type Plan, type StageId } from '@equipoise/core/model';
import type { OwnDecisions } from '../../compose/own-decisions.js';
import { OwnPolicyThread } from '../own-policy-thread.js';
import type { PolicyDecision, PolicyTask } from '../policy-thread.js';

/** Figures of a stage that an observation lacks; NaN if the platform does not measure them. */
export interface StageUsage {
  readonly inFlightItems: number;
  readonly busyFraction: number;
}

export type UsageOf = (stageId: StageId, observation: Observation) => StageUsage;

const UNMEASURED: StageUsage = { inFlightItems: Number.NaN, busyFraction: Number.NaN };

type ServingTask = Extract<PolicyTask, { kind: 'serve' }>;

interface BegunDecider {
  readonly spec: PipelineSpec;
  readonly thread: OwnPolicyThread<PolicyDecision>;
  readonly first: PolicyDecision;
  readonly onFailure: (failure: AppError) => void;
}

export class OwnDecider implements OwnDecisions {
  readonly intervalMs: number;
  readonly firstPlan: Plan | undefined;
  readonly #thread: OwnPolicyThread<PolicyDecision>;
  readonly #spec: PipelineSpec;
  readonly #onFailure: (failure: AppError) => void;
  #target: Plan | undefined;
  usageOf: UsageOf = () => UNMEASURED;

  private constructor({ spec, thread, first, onFailure }: BegunDecider) {
    this.intervalMs = first.intervalMs;
    this.firstPlan = first.plan;
    this.#thread = thread;
    this.#spec = spec;
    this.#onFailure = onFailure;
    this.#target = first.plan;
  }

  /** Rejects with the error of the policy. `onFailure` gets later errors. */
  static async start(task: ServingTask, onFailure: (failure: AppError) => void): Promise<OwnDecider> {
    const thread = new OwnPolicyThread<PolicyDecision>(task);
    try {
      return new OwnDecider({ spec: task.spec, thread, first: await thread.ask(), onFailure });
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  async decide(observation: Observation): Promise<TickAnswer> {
    const { load, runningPlan, changing = false } = observation;
    const { plan } = await this.#thread.ask(this.#observed(observation)).catch((error: unknown) => {
      if (error instanceof AppError) this.#onFailure(error);
      throw error;
    });
    const evidence = { forecast: smoothedRate(load) };
    if (plan === undefined || isSamePlan(plan.stages, this.#target?.stages))
      return { decision: { kind: 'hold', reason: 'the policy keeps its plan', evidence }, trigger: 'plan' };
    this.#target = plan;
    const changes = (changing ? diffUnderWay : diffPlans)(runningPlan, plan, this.#spec);
    return { decision: { kind: 'apply', plan, changes, reason: 'the policy wants it', evidence }, trigger: 'plan' };
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }

  #observed(observation: Observation): PolicyObservation {
    const { atMs, load, stages, runningPlan } = observation;
    const metrics = this.#spec.stages.map(({ id }) => [
      id,
      {
        queueLength: stages[id]?.queueLength ?? 0,
        ...this.usageOf(id, observation),
        ...replicaCounts(runningPlan, id),
      },
    ]);
    return { atMs, arrivalsPerSecond: load.arrivalsPerSecond, stages: Object.fromEntries(metrics) };
  }
}
