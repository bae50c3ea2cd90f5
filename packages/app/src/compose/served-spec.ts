/** A pipeline as it is described and as it is planned for on this machine, and what may take its place while it is served. */

import { availableParallelism } from 'node:os';
import { needsRestart } from '@equipoise/core/control';
import { AppError, type PipelineSpec, type ProfileSet, servedAnswerMarginMs } from '@equipoise/core/model';
import { canonicalJson, type PlanningSetup, sha256, specDigest } from '@equipoise/runtime';

/** On the host that the budget describes: its cores rounded up; without a budget there is no bound. A plan does not depend on this machine. */
export function plannedHostCores({ budget }: PipelineSpec): number {
  return budget.cpuCores === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(budget.cpuCores));
}

/** On this machine: as planned, as far as it has the cores. */
export function servingHostCores(spec: PipelineSpec, machineCores = availableParallelism()): number {
  return computes(spec) ? Math.min(machineCores, plannedHostCores(spec)) : plannedHostCores(spec);
}

/** The spec that plans for this machine are made from: its CPU budget is no more than the machine has. */
export function servingSpec(spec: PipelineSpec, machineCores = availableParallelism()): PipelineSpec {
  const { cpuCores = Number.POSITIVE_INFINITY } = spec.budget;
  if (!computes(spec) || cpuCores <= machineCores) return spec;
  return { ...spec, budget: { ...spec.budget, cpuCores: machineCores } };
}

const computes = ({ stages }: PipelineSpec): boolean =>
  stages.some(
    ({ module, variants }) => module !== undefined || variants.some(({ server }) => server?.command !== undefined),
  );

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
