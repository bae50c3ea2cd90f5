/** What survives a restart: the last good plan and the log of decisions. */
import type { DecisionRecord } from '../model/decision.js';
import type { Plan } from '../model/plan.js';

/** When a plan was put in force, and a digest of all that plans are made from in the pipeline file as it was then. */
export interface SavedPlanFacts {
  readonly atEpochMs: number;
  readonly specDigest: string;
}

/** A crash-safe store; every call is durable when it returns and throws AppError STORE_FAILED otherwise. */
export interface PlanStore {
  saveLastGoodPlan(pipelineName: string, plan: Plan, facts: SavedPlanFacts): void;
  /** The newest saved plan, or undefined; a plan made from another description (unequal digest) does not come back. */
  lastGoodPlan(pipelineName: string, specDigest: string): Plan | undefined;
  /** Adds to the log; the oldest decisions may be forgotten when there are many thousands. */
  appendDecision(pipelineName: string, record: DecisionRecord): void;
  /** The newest decisions, newest first, at most `limit`. */
  recentDecisions(pipelineName: string, limit: number): readonly DecisionRecord[];
  close(): void;
}
