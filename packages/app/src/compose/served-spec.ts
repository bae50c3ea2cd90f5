/**
 * The pipeline as described, and as planned on this machine. The machine's cores bound the plan if any replica computes
 * here; synthetic replicas and remote servers only wait.
 */

import { availableParallelism } from 'node:os';
import { needsRestart } from '@equipoise/core/control';
import {
  AppError,
  followsAddresses,
  type PipelineSpec,
  type ProfileSet,
  servedAnswerMarginMs,
  shadowCores,
} from '@equipoise/core/model';
import { canonicalJson, type PlanningSetup, sha256, specDigest } from '@equipoise/runtime';
import { plannedHostCores } from './plan-verification.js';

/** Host cores of a plan, at most this machine's if a replica computes here. */
export function servingHostCores(spec: PipelineSpec, machineCores = availableParallelism()): number {
  return computes(spec) ? Math.min(machineCores, plannedHostCores(spec)) : plannedHostCores(spec);
}

/** The pipeline with its CPU budget limited likewise. */
export function servingSpec(spec: PipelineSpec, machineCores = availableParallelism()): PipelineSpec {
  const { cpuCores = Number.POSITIVE_INFINITY } = spec.budget;
  const most = machineCores - shadowCores(spec.stages);
  if (!computes(spec) || cpuCores <= most) return spec;
  if (most <= 0) throw noCoresLeft(spec, machineCores);
  return { ...spec, budget: { ...spec.budget, cpuCores: most } };
}

function noCoresLeft({ stages }: PipelineSpec, machineCores: number): AppError {
  const message = `The shadows need ${shadowCores(stages)} cores, and this machine has ${machineCores}. Set a smaller shadow.cpuCores, or remove a shadow.`;
  return new AppError('INVALID_PIPELINE', message, { details: { machineCores } });
}

const computes = ({ stages }: PipelineSpec): boolean =>
  stages.some(
    ({ module, variants }) => module !== undefined || variants.some(({ server }) => server?.command !== undefined),
  );

/** The pipeline as served; digests identify its versions in the log. */
export interface ServedSpec {
  readonly spec: PipelineSpec;
  /** The pipeline with the default answer margin if the file has none. */
  readonly answering: PipelineSpec;
  readonly setup: PlanningSetup;
  readonly specDigest: string;
  readonly setupDigest: string;
}

const SEED = 1;

export function servedSpec(spec: PipelineSpec, profiles: ProfileSet): ServedSpec {
  const setup = { spec: fromOneReplica(servingSpec(spec)), profiles, hostCores: servingHostCores(spec), seed: SEED };
  return {
    spec,
    answering: withAnswerMargin(spec),
    setup,
    specDigest: specDigest(spec),
    setupDigest: sha256(canonicalJson(setup)),
  };
}

/**
 * A stage that follows addresses is planned with one replica: any other address may not be ready. A bound, and no pin, so
 * that no further replica starts next to one that hangs: each address has one.
 */
function fromOneReplica(spec: PipelineSpec): PipelineSpec {
  if (!spec.stages.some(followsAddresses)) return spec;
  const stages = spec.stages.map((stage) =>
    followsAddresses(stage) ? { ...stage, bounds: { ...stage.bounds, minReplicas: 1, maxReplicas: 1 } } : stage,
  );
  return { ...spec, stages };
}

function withAnswerMargin(spec: PipelineSpec): PipelineSpec {
  const answerMarginMs = spec.admission.answerMarginMs ?? servedAnswerMarginMs(spec.slo);
  return { ...spec, admission: { ...spec.admission, answerMarginMs } };
}

/** Throws CONFLICT if `wanted` requires a restart. */
export function checkReplaceable(served: PipelineSpec, wanted: PipelineSpec, isFixed: boolean): void {
  const places = needsRestart(served, wanted);
  if (isFixed) throw conflict('the plan is fixed, so another description has no effect');
  if (places.length > 0) throw conflict(`a restart is needed to change ${places.join(', ')}`);
}

function conflict(why: string): AppError {
  return new AppError('CONFLICT', `The pipeline file is refused: ${why}.`);
}
