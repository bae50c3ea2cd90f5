/** Asks a user's policy in its thread, and turns its plans into decisions of the control loop. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
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
import type { PolicyAnswer, PolicyTask } from './policy-thread.js';

/** Figures of a stage that an observation lacks; NaN if the platform does not measure them. */
export interface StageUsage {
  readonly inFlightItems: number;
  readonly busyFraction: number;
}

export type UsageOf = (stageId: StageId, observation: Observation) => StageUsage;

const UNMEASURED: StageUsage = { inFlightItems: Number.NaN, busyFraction: Number.NaN };
const LIMIT_MS = 60_000;

export class OwnDecider implements OwnDecisions {
  readonly #thread: Worker;
  readonly #spec: PipelineSpec;
  readonly #name: string;
  #first: (PolicyAnswer & { readonly kind: 'decided' }) | undefined;
  readonly #onFailure: (failure: AppError) => void;
  #target: Plan | undefined;
  usageOf: UsageOf = () => UNMEASURED;

  private constructor(task: PolicyTask, onFailure: (failure: AppError) => void) {
    this.#onFailure = onFailure;
    this.#spec = task.spec;
    this.#name = task.path;
    this.#thread = new Worker(createRequire(import.meta.url).resolve('equipoise/policy-thread'), {
      workerData: task,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 2048 },
    });
  }

  /** Throws WRONG_USAGE if the policy fails or does not answer. `onFailure` gets later errors. */
  static async start(task: PolicyTask, onFailure: (failure: AppError) => void): Promise<OwnDecider> {
    const decider = new OwnDecider(task, onFailure);
    try {
      const first = await decider.#answer();
      decider.#first = first;
      decider.#target = first.plan;
      return decider;
    } catch (error) {
      await decider.close();
      throw error;
    }
  }

  get intervalMs(): number {
    return this.#first?.intervalMs ?? LIMIT_MS;
  }

  get firstPlan(): Plan | undefined {
    return this.#first?.plan;
  }

  async decide(observation: Observation): Promise<TickAnswer> {
    const { load, runningPlan, changing = false } = observation;
    const answer = this.#answer();
    this.#thread.postMessage(this.#observed(observation));
    const { plan } = await answer.catch((error: unknown) => {
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
    await this.#thread.terminate();
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

  #answer(): Promise<PolicyAnswer & { readonly kind: 'decided' }> {
    const thread = this.#thread;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        thread.off('message', answered).off('error', failed).off('exit', exited);
        settle();
      };
      const refuse = (reason: string) =>
        end(() => reject(new AppError('WRONG_USAGE', `The policy ${this.#name}: ${reason}`)));
      const answered = (answer: PolicyAnswer) =>
        answer.kind === 'failed' ? refuse(answer.message) : end(() => resolve(answer));
      const failed = (error: Error) => refuse(error.message);
      const exited = (code: number) => refuse(`its thread ended with exit code ${code}.`);
      const timer: NodeJS.Timeout = setTimeout(() => refuse(`no answer within ${LIMIT_MS / 1000} s.`), LIMIT_MS);
      thread.on('message', answered).on('error', failed).on('exit', exited);
    });
  }
}
