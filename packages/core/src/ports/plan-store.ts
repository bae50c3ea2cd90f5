/** What survives a restart: the last good plan and the log of decisions. */
import type { DecisionRecord } from '../model/decision.js';
import type { Plan } from '../model/plan.js';

/** A crash-safe store of one pipeline; every call is durable when it returns and throws AppError STORE_FAILED otherwise. */
export interface PlanStore {
  saveLastGoodPlan(pipelineName: string, plan: Plan, atEpochMs: number): void;
  /** The newest saved plan, or undefined. */
  lastGoodPlan(pipelineName: string): Plan | undefined;
  appendDecision(pipelineName: string, record: DecisionRecord): void;
  /** The newest decisions, newest first, at most `limit`. */
  recentDecisions(pipelineName: string, limit: number): readonly DecisionRecord[];
  close(): void;
}
