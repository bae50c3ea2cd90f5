/** What a pipeline goes on with after a restart, read from its store, and why what was kept is not taken where it is not. */
import {
  type GoodPlan,
  type KeptController,
  type KeptLearning,
  type PinsByStage,
  type PipelineSpec,
  type PlanStore,
  type ProfileSet,
  pinObjection,
  type StageId,
} from '@equipoise/core';
import { canonicalJson, type OperatorWishes, sha256 } from '@equipoise/runtime';

/** All that was kept. */
export interface KeptState {
  /** Of the newest decision; 0 without any. */
  readonly lastDecisionId: number;
  /** The last good plan, of whatever description. */
  readonly good?: GoodPlan;
  readonly controller: KeptController;
  readonly wishes: OperatorWishes;
  /** What is not taken, in words. */
  readonly passedOver: readonly string[];
}

/** Service times are held against the profiles that they were measured beside. */
interface KeptService {
  readonly profilesDigest: string;
  readonly service: NonNullable<KeptController['service']>;
}

/** Reads what was kept of a pipeline; rejects with AppError STORE_FAILED where it cannot be read. */
export async function readKeptState(
  store: PlanStore,
  spec: PipelineSpec,
  { profiles, resumes }: { readonly profiles: ProfileSet; readonly resumes: boolean },
): Promise<KeptState> {
  const { name } = spec;
  const [[last], [good], learning, service, wishes] = await Promise.all([
    store.decisions(name, { limit: 1 }),
    store.goodPlans(name, 1),
    store.kept(name, 'learning') as Promise<KeptLearning | undefined>,
    store.kept(name, 'service') as Promise<KeptService | undefined>,
    store.kept(name, 'operator') as Promise<OperatorWishes | undefined>,
  ]);
  const lastDecisionId = last?.id ?? 0;
  if (!resumes) return { lastDecisionId, controller: {}, wishes: { pins: {} }, passedOver: [] };
  const isProfiled = service?.profilesDigest === profilesDigest(spec, profiles);
  const [pins, unpinned] = stillPossible(spec, wishes?.pins ?? {});
  const hadCorrections = service !== undefined && service.service.corrections.length > 0;
  return {
    lastDecisionId,
    ...(good && { good }),
    controller: { ...(learning && { learning }), ...(isProfiled && { service: service.service }) },
    wishes: { ...wishes, pins },
    passedOver: [
      ...(hadCorrections && !isProfiled ? ['the corrections of the profile: it has changed since'] : []),
      ...unpinned.map((objection) => `a pin: ${objection}`),
    ],
  };
}

/** Keeps what was learned, beside the profiles that it was learned with. */
export async function keepLearned(
  store: PlanStore,
  spec: PipelineSpec,
  { kept, profiles }: { readonly kept: KeptController; readonly profiles: ProfileSet },
): Promise<void> {
  const { learning, service } = kept;
  if (learning !== undefined) await store.keep(spec.name, 'learning', learning);
  if (service === undefined) return;
  const value: KeptService = { profilesDigest: profilesDigest(spec, profiles), service };
  await store.keep(spec.name, 'service', value);
}

/** Of the profiles that were measured and of those in the pipeline file. */
function profilesDigest({ stages }: PipelineSpec, profiles: ProfileSet): string {
  const measured = profiles.map(({ stageId, variantId, points }) => ({ stageId, variantId, points }));
  const inline = stages.map(({ id, variants }) => [id, variants.map((variant) => [variant.id, variant.profile])]);
  return sha256(canonicalJson({ measured, inline }));
}

/** The pins that the pipeline file still allows, and why others are not. */
function stillPossible({ stages }: PipelineSpec, pins: PinsByStage): readonly [PinsByStage, readonly string[]] {
  const objections = Object.entries(pins).map(([id, wanted]) => {
    const stage = stages.find((each) => each.id === id);
    return stage === undefined ? `there is no stage ${id}` : pinObjection(stage, wanted);
  });
  const kept = Object.entries(pins).filter((_, index) => objections[index] === undefined);
  return [
    Object.fromEntries(kept) as Record<StageId, (typeof pins)[StageId]>,
    objections.filter((each) => each !== undefined),
  ];
}
