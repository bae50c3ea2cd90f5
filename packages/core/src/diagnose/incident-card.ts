/** Answer to "why were requests dropped, late or failed?": an incident card, as plain data. */
import type { StageId } from '../model/ids.js';
import type { Plan } from '../model/plan.js';

/**
 * Causes of incidents. `overload`: the load rose beyond the running plan. `slow-replica`: one replica is slower than its
 * peers. `wrong-profile`: all replicas of a stage deviate from the profile. `failing-variant`: batches fail, or replicas
 * do not run. `stale-source`: the control loop got no fresh metrics while the load rose. `fan-out`: requests become more
 * items than before. `budget`: the budget allows no larger plan. `client`: clients disconnect, or leave too little time.
 * `unknown`: none of these stands out.
 */
export const incidentCauses = [
  'overload',
  'slow-replica',
  'wrong-profile',
  'failing-variant',
  'stale-source',
  'fan-out',
  'budget',
  'client',
  'unknown',
] as const;

export type IncidentCause = (typeof incidentCauses)[number];

/** `missed`: dropped, failed or late. `allowedFraction` is that of the SLO. Absent rates mean no requests. */
export interface Harm {
  readonly requests: number;
  readonly missed: number;
  readonly dropped: number;
  readonly failed: number;
  readonly late: number;
  readonly missedFraction: number;
  readonly allowedFraction: number;
}

/** First measurement that was out of its usual range. */
export interface Signal {
  readonly atEpochMs: number;
  readonly stageId?: StageId | undefined;
  readonly text: string;
}

/** A measured figure with its 95 % interval, and the value expected without the suspect. */
export interface Evidence {
  readonly text: string;
  readonly measured?: number | undefined;
  readonly expected?: number | undefined;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

/** `score`: natural logarithm of the factor by which the suspect raises the load of its stage; at least 0. */
export interface Suspect {
  readonly cause: IncidentCause;
  readonly stageId?: StageId | undefined;
  readonly replicaId?: string | undefined;
  /** When it began, if its own evidence tells. */
  readonly sinceEpochMs?: number;
  readonly score: number;
  readonly summary: string;
  readonly evidence: readonly Evidence[];
}

/**
 * Simulation of the worst part of the window with a remedy. `holds`: the SLO is met. `budgetCores`: present if only a
 * larger budget holds.
 */
export interface Counterfactual {
  readonly text: string;
  readonly holds: boolean;
  readonly requests?: number;
  readonly missed?: number;
  readonly plan?: Plan;
  readonly budgetCores?: number;
}

/** From and to: the part of the asked window that the history has; without data, the window itself. */
interface Diagnosed {
  readonly fromEpochMs: number;
  readonly toEpochMs: number;
  readonly harm: Harm;
}

export type IncidentCard =
  | ({ readonly verdict: 'no-data'; readonly text: string } & Omit<Diagnosed, 'harm'>)
  | ({ readonly verdict: 'healthy'; readonly text: string } & Diagnosed)
  | ({
      readonly verdict: 'incident';
      /** False if the SLO is met all the same. */
      readonly harmful: boolean;
      /** Part of the window with the harm. */
      readonly episode: { readonly fromEpochMs: number; readonly toEpochMs: number };
      readonly cause: IncidentCause;
      readonly stageId?: StageId | undefined;
      readonly replicaId?: string | undefined;
      readonly summary: string;
      readonly firstSignal: Signal;
      readonly evidence: readonly Evidence[];
      readonly runnerUp?: {
        readonly cause: IncidentCause;
        readonly stageId?: StageId | undefined;
        readonly against: string;
      };
      readonly counterfactual?: Counterfactual;
    } & Diagnosed);
