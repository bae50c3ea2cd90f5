/** A pipeline as it is described and as it is planned for on this machine, and what may take its place while it is served. */
import { needsRestart } from '@equipoise/core/control';
import { AppError, type PipelineSpec, type ProfileSet, servedAnswerMarginMs } from '@equipoise/core/model';
import { canonicalJson, type PlanningSetup, sha256, specDigest } from '@equipoise/runtime';
import { servingHostCores, servingSpec } from './host-cores.js';

/** The digests tell one description from another in the log. */
export interface ServedSpec {
  readonly spec: PipelineSpec;
  /** As requests are served by it: with the answer margin of a server where the file states none. */
  readonly answering: PipelineSpec;
  readonly setup: PlanningSetup;
  readonly specDigest: string;
  readonly setupDigest: string;
}

/** Seed of the planner's simulations. */
const SEED = 1;

/** The spec with what follows from it here. */
export function servedSpec(spec: PipelineSpec, profiles: ProfileSet): ServedSpec {
  const setup = { spec: servingSpec(spec), profiles, hostCores: servingHostCores(spec), seed: SEED };
  return {
    spec,
    answering: withAnswerMargin(spec),
    setup,
    specDigest: specDigest(spec),
    setupDigest: sha256(canonicalJson(setup)),
  };
}

function withAnswerMargin(spec: PipelineSpec): PipelineSpec {
  const answerMarginMs = spec.admission.answerMarginMs ?? servedAnswerMarginMs(spec.slo);
  return { ...spec, admission: { ...spec.admission, answerMarginMs } };
}

/** AppError CONFLICT where `wanted` cannot take the place of what is served without a restart. */
export function checkReplaceable(served: PipelineSpec, wanted: PipelineSpec, isFixed: boolean): void {
  const places = needsRestart(served, wanted);
  if (isFixed) throw conflict('a fixed plan is served, which another description would not change');
  if (places.length > 0) throw conflict(`a restart is needed to change ${places.join(', ')}`);
}

function conflict(why: string): AppError {
  return new AppError('CONFLICT', `The pipeline file is not taken: ${why}.`);
}
