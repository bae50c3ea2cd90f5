/** Persisted state: good plans, the decision log, learned values and manual settings. */
import type { DecisionRecord, DecisionSummary, LaterFacts } from '../model/decision-record.js';
import type { Plan } from '../model/plan.js';

/** A good plan, the time when it took effect, and a digest of its planning input. */
export interface GoodPlan {
  readonly plan: Plan;
  readonly atEpochMs: number;
  readonly specDigest: string;
}

/** Newest `limit` decisions; with `beforeId`, only older ones. */
export interface DecisionPage {
  readonly limit: number;
  readonly beforeId?: number;
}

/**
 * Names of persisted values. `in-force` has the form of a `GoodPlan`, but may be a burst answer: no roll-back target.
 */
export type KeptName = 'in-force' | 'learning' | 'service' | 'edges' | 'starts' | 'guardrails' | 'operator';

/**
 * Crash-safe: a write that resolves is complete and durable; otherwise it rejects with AppError STORE_FAILED. Old plans
 * and decisions may be pruned.
 */
export interface PlanStore {
  saveGoodPlan(pipelineName: string, good: GoodPlan): Promise<void>;
  /** Newest first, at most `limit`. */
  goodPlans(pipelineName: string, limit: number): Promise<readonly GoodPlan[]>;
  /** Appends an entry. Returns its id: that of `record` or, if taken, the next free one. */
  appendDecision(pipelineName: string, record: DecisionRecord): Promise<number>;
  /** Ignores pruned entries. */
  amendDecision(pipelineName: string, id: number, later: LaterFacts): Promise<void>;
  /** Newest first. */
  decisions(pipelineName: string, page: DecisionPage): Promise<readonly DecisionRecord[]>;
  /** Summaries of `decisions`, which a store in another thread makes there. */
  decisionSummaries(pipelineName: string, page: DecisionPage): Promise<readonly DecisionSummary[]>;
  decision(pipelineName: string, id: number): Promise<DecisionRecord | undefined>;
  /** A setup that no decision uses may be pruned after a day. */
  saveSetup(digest: string, setup: object, atEpochMs: number): Promise<void>;
  setup(digest: string): Promise<object | undefined>;
  keep(pipelineName: string, name: KeptName, value: object): Promise<void>;
  kept(pipelineName: string, name: KeptName): Promise<object | undefined>;
  pipelineNames(): Promise<readonly string[]>;
  close(): Promise<void>;
}
