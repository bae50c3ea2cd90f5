/** Policies that decide from measurements. They get what a monitoring system sees, and answer with replicas. */
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import type { ServiceCurves } from '../../profile/service-curves.js';

/** Measurements of a stage. `readyReplicas` serve; `liveReplicas` serve or start. */
export interface StageMetrics {
  readonly queueLength: number;
  readonly inFlightItems: number;
  /** Fraction (0…1) of the time of ready replicas in which they ran batches, since the last decision. */
  readonly busyFraction: number;
  readonly readyReplicas: number;
  readonly liveReplicas: number;
}

/** `arrivalsPerSecond`: whole seconds, oldest first. */
export interface PolicyObservation {
  readonly atMs: number;
  readonly arrivalsPerSecond: readonly number[];
  readonly stages: Readonly<Record<StageId, StageMetrics>>;
}

/** Knowledge of a policy before the load begins. */
export interface PolicyInput {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  /** Beginning of the load, which a policy may plan for. */
  readonly sampleArrivalsPerSecond: readonly number[];
  /** Fraction (0…1) of the sample's requests that a fixed plan answers within the SLO, by simulation. */
  attainment(stages: Plan['stages']): number;
}

export interface Observer {
  /** Stages at the start of the load. */
  readonly first: Plan['stages'];
  /** Wanted stages; undefined keeps the present ones. */
  decide(observation: PolicyObservation): Plan['stages'] | undefined;
}

/** A policy and its decision interval. `begin` is called once per run, so that runs share no state. */
export interface ObservingPolicy {
  readonly intervalMs: number;
  begin(input: PolicyInput): Observer;
}
