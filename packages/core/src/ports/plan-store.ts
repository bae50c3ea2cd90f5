/** What survives a restart: the last good plan and the log of decisions. */
import type { DecisionRecord } from '../model/decision.js';
import type { Plan } from '../model/plan.js';

/** When a plan was made, and a digest of the part of the spec that plans depend on. */
export interface PlanOrigin {
  readonly atEpochMs: number;
  readonly specDigest: string;
}

/** A crash-safe store of one pipeline; every call is durable when it returns and throws AppError STORE_FAILED otherwise. */
export interface PlanStore {
  saveLastGoodPlan(pipelineName: string, plan: Plan, made: PlanOrigin): void;
  /** The newest saved plan if it was made for `specDigest`, else undefined: an edited pipeline file does not revive its old plan. */
  lastGoodPlan(pipelineName: string, specDigest: string): Plan | undefined;
  appendDecision(pipelineName: string, record: DecisionRecord): void;
  /** The newest decisions, newest first, at most `limit`. */
  recentDecisions(pipelineName: string, limit: number): readonly DecisionRecord[];
  close(): void;
}
