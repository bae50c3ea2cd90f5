/** What survives a restart: good plans, the log of decisions, and what was learned and asked for while serving. */
import type { DecisionRecord, LaterFacts } from '../model/decision-record.js';
import type { Plan } from '../model/plan.js';

/** A plan that was good, when it was put in force, and a digest of all that plans are made from in the pipeline file as it was then. */
export interface GoodPlan {
  readonly plan: Plan;
  readonly atEpochMs: number;
  readonly specDigest: string;
}

/** Which decisions: the newest `limit`, or those before the decision `beforeId`. */
export interface DecisionPage {
  readonly limit: number;
  readonly beforeId?: number;
}

/**
 * What else is kept of a pipeline: the plan to go on with (a `GoodPlan`; the answer to a burst is in force and is none to go back to), what the load, the service times and the edges have taught, what the guardrails remember, and what a person
 * has asked for.
 */
export type KeptName = 'in-force' | 'learning' | 'service' | 'edges' | 'guardrails' | 'operator';

/**
 * A crash-safe store; what a call wrote is durable, whole, when it resolves, and it rejects with AppError STORE_FAILED otherwise. Old plans
 * and decisions may be forgotten when there are many.
 */
export interface PlanStore {
  saveGoodPlan(pipelineName: string, good: GoodPlan): Promise<void>;
  /** The newest good plans, newest first, at most `limit`. */
  goodPlans(pipelineName: string, limit: number): Promise<readonly GoodPlan[]>;
  /** Adds to the log; gives the id of the entry: its own, or the next free one where that is taken. */
  appendDecision(pipelineName: string, record: DecisionRecord): Promise<number>;
  /** Adds to an entry what is known later; one that is no longer there is passed over. */
  amendDecision(pipelineName: string, id: number, later: LaterFacts): Promise<void>;
  /** Decisions, newest first. */
  decisions(pipelineName: string, page: DecisionPage): Promise<readonly DecisionRecord[]>;
  decision(pipelineName: string, id: number): Promise<DecisionRecord | undefined>;
  /** Keeps what decisions refer to by `setupDigest`; one that no decision refers to may be forgotten a day later. */
  saveSetup(digest: string, setup: object, atEpochMs: number): Promise<void>;
  setup(digest: string): Promise<object | undefined>;
  /** Keeps a value in place of the one before it. */
  keep(pipelineName: string, name: KeptName, value: object): Promise<void>;
  kept(pipelineName: string, name: KeptName): Promise<object | undefined>;
  /** Names of the pipelines that have decisions. */
  pipelineNames(): Promise<readonly string[]>;
  close(): Promise<void>;
}
