/** The load that a plan is made for and verified at. */
import type { Burstiness } from './burstiness.js';

/** The most requests that arrive in any window of `windowS` seconds. */
export interface EnvelopeWindow {
  readonly windowS: number;
  readonly arrivals: number;
}

/** A traffic envelope (Le Boudec and Thiran, Network Calculus, 2001): a bound for windows of several lengths, ascending in both. */
export type ArrivalEnvelope = readonly EnvelopeWindow[];

/** Requests that wait when a plan comes into force, and the time it is given to serve them. */
export interface Backlog {
  readonly requests: number;
  /** What arrives earlier than this after the start says nothing about the plan. */
  readonly graceMs: number;
}

/** Poisson at `arrivalRps` unless it says more: how bursty requests are, or a bound that they fill. */
export interface ExpectedLoad {
  readonly arrivalRps: number;
  readonly burstiness?: Burstiness;
  readonly envelope?: ArrivalEnvelope;
  readonly backlog?: Backlog;
}
