/** State that a pipeline saves while it serves and restores when it starts. */
import {
  agedSnapshot,
  type ClockReading,
  type ControllerSnapshot,
  type DatedGuardrails,
  guardrailsAfterRestart,
  pinObjection,
  pinsObjection,
  unprofiledPins,
} from '@equipoise/core/control';
import type { LearningSnapshot } from '@equipoise/core/forecast';
import type { PinsByStage, PipelineSpec, ProfileSet } from '@equipoise/core/model';
import { curvesOf } from '@equipoise/core/plan';
import type { GoodPlan, PlanStore } from '@equipoise/core/ports';
import { canonicalJson, type OperatorWishes, sha256, specDigest } from '@equipoise/runtime';

export interface SavedState {
  /** Newest decision number; 0 if there is none. */
  readonly lastDecisionId: number;
  /** Last running plan that was good or answered a burst; from any version of the pipeline. */
  readonly good?: GoodPlan;
  readonly controller: ControllerSnapshot;
  readonly wishes: OperatorWishes;
  readonly lostPins?: readonly string[];
  /** Reasons why state or pins were not restored. */
  readonly passedOver: readonly string[];
}

export const NO_SAVED_STATE: SavedState = { lastDecisionId: 0, controller: {}, wishes: { pins: {} }, passedOver: [] };

/** Time of the state. Older versions stored no time, which counts as long ago. */
interface Dated {
  readonly keptAtEpochMs?: number;
}

interface SavedService extends Dated {
  readonly profilesDigest: string;
  readonly service: NonNullable<ControllerSnapshot['service']>;
}

/** Saved counts by edge, in file order. */
interface SavedEdges extends Dated {
  readonly edgesDigest: string;
  readonly edges: NonNullable<ControllerSnapshot['edges']>;
}

interface SavedStarts {
  readonly times: NonNullable<ControllerSnapshot['starts']>;
}

/** Saved guardrails. Trial and back-off hold only for one version of the pipeline. */
interface SavedGuardrails extends DatedGuardrails {
  readonly specDigest: string;
}

const clockReading = (): ClockReading => ({ atMs: performance.now(), atEpochMs: Date.now() });

interface SavedStateOptions {
  readonly profiles: ProfileSet;
  readonly resumes: boolean;
  readonly now?: ClockReading;
}

/** Rejects with STORE_FAILED. */
export async function readSavedState(
  store: PlanStore,
  spec: PipelineSpec,
  { profiles, resumes, now = clockReading() }: SavedStateOptions,
): Promise<SavedState> {
  const { name } = spec;
  const [[last], [newestGood], inForce, learning, service, edges, starts, guardrails, wishes] = await Promise.all([
    store.decisions(name, { limit: 1 }),
    store.goodPlans(name, 1),
    store.kept(name, 'in-force') as Promise<GoodPlan | undefined>,
    store.kept(name, 'learning') as Promise<(LearningSnapshot & Dated) | undefined>,
    store.kept(name, 'service') as Promise<SavedService | undefined>,
    store.kept(name, 'edges') as Promise<SavedEdges | undefined>,
    store.kept(name, 'starts') as Promise<SavedStarts | undefined>,
    store.kept(name, 'guardrails') as Promise<SavedGuardrails | undefined>,
    store.kept(name, 'operator') as Promise<OperatorWishes | undefined>,
  ]);
  const lastDecisionId = last?.id ?? 0;
  // Older versions stored only good plans.
  const good = inForce ?? newestGood;
  if (!resumes) return { ...NO_SAVED_STATE, lastDecisionId };
  const isProfiled = service?.profilesDigest === profilesDigest(spec, profiles);
  const hasEdges = edges?.edgesDigest === edgesDigest(spec);
  const [pins, unpinned] = possiblePins(spec, profiles, wishes?.pins ?? {});
  const hadCorrections = service !== undefined && service.service.corrections.length > 0;
  return {
    lastDecisionId,
    ...(good && { good }),
    controller: {
      ...agedLearned({ learning, service: isProfiled ? service : undefined, edges: hasEdges ? edges : undefined }, now),
      ...(starts && { starts: starts.times }),
      ...(guardrails && { guardrails: guardrailsFor(spec, guardrails, now) }),
    },
    wishes: { ...wishes, pins },
    ...(unpinned.length > 0 && { lostPins: unpinned }),
    passedOver: [
      ...(hadCorrections && !isProfiled ? ['the corrections of the profile: it has changed since'] : []),
      ...(edges !== undefined && edges.edges.inForce.length > 0 && !hasEdges
        ? ['learned fan-outs and branches: the edges have changed since']
        : []),
      ...unpinned.map((objection) => `a pin: ${objection}`),
    ],
  };
}

interface SavedLearned {
  readonly learning: (LearningSnapshot & Dated) | undefined;
  readonly service: SavedService | undefined;
  readonly edges: SavedEdges | undefined;
}

function agedLearned(
  { learning: dated, service, edges }: SavedLearned,
  { atEpochMs }: ClockReading,
): ControllerSnapshot {
  const stoppedMs = ({ keptAtEpochMs = Number.NEGATIVE_INFINITY }: Dated) => Math.max(0, atEpochMs - keptAtEpochMs);
  return {
    ...(dated && agedSnapshot({ learning: withoutDate(dated) }, stoppedMs(dated))),
    ...(service && agedSnapshot({ service: service.service }, stoppedMs(service))),
    ...(edges && agedSnapshot({ edges: edges.edges }, stoppedMs(edges))),
  };
}

function withoutDate({ keptAtEpochMs: _, ...learning }: LearningSnapshot & Dated): LearningSnapshot {
  return learning;
}

interface Learned {
  readonly kept: ControllerSnapshot;
  readonly profiles: ProfileSet;
  readonly now?: ClockReading;
}

/** Saves learned state; missing parts keep their saved value. */
export async function saveLearned(
  store: PlanStore,
  spec: PipelineSpec,
  { kept, profiles, now: keptAt = clockReading() }: Learned,
): Promise<void> {
  const { learning, service, edges, starts, guardrails } = kept;
  const dated: Dated = { keptAtEpochMs: keptAt.atEpochMs };
  if (learning !== undefined) await store.keep(spec.name, 'learning', { ...learning, ...dated });
  if (service !== undefined) {
    const value: SavedService = { profilesDigest: profilesDigest(spec, profiles), service, ...dated };
    await store.keep(spec.name, 'service', value);
  }
  if (edges !== undefined) {
    const value: SavedEdges = { edgesDigest: edgesDigest(spec), edges, ...dated };
    await store.keep(spec.name, 'edges', value);
  }
  if (starts !== undefined) {
    const value: SavedStarts = { times: starts };
    await store.keep(spec.name, 'starts', value);
  }
  if (guardrails !== undefined) {
    const value: SavedGuardrails = { specDigest: specDigest(spec), guardrails, keptAt };
    await store.keep(spec.name, 'guardrails', value);
  }
}

/** Guardrails to restore: recent changes; trial and back-off only for the same version of the pipeline. */
function guardrailsFor(
  spec: PipelineSpec,
  { specDigest: digest, ...dated }: SavedGuardrails,
  now: ClockReading,
): NonNullable<ControllerSnapshot['guardrails']> {
  const standing = guardrailsAfterRestart(dated, now);
  if (digest === specDigest(spec)) return standing;
  const { appliedAtMs, switches } = standing;
  return { appliedAtMs, switches };
}

const edgesDigest = ({ edges }: PipelineSpec): string => sha256(canonicalJson(edges));

function profilesDigest({ stages }: PipelineSpec, profiles: ProfileSet): string {
  const measured = profiles.map(({ stageId, variantId, points, correction }) => ({
    ...{ stageId, variantId, points },
    ...(correction && { correction }),
  }));
  const inline = stages.map(({ id, variants }) => [id, variants.map((variant) => [variant.id, variant.profile])]);
  return sha256(canonicalJson({ measured, inline }));
}

/** Pins that the pipeline file and the profiles still allow, and reasons against the others. */
function possiblePins(
  spec: PipelineSpec,
  profiles: ProfileSet,
  pins: PinsByStage,
): readonly [PinsByStage, readonly string[]] {
  const curves = curvesOf(spec, profiles);
  let kept: PinsByStage = {};
  const objections: string[] = [];
  for (const [id, wanted] of Object.entries(pins)) {
    const stage = spec.stages.find((each) => each.id === id);
    const all: PinsByStage = { ...kept, [id]: wanted };
    const objection =
      stage === undefined
        ? `there is no stage ${id}`
        : (pinObjection(spec, stage, wanted) ??
          beyondBudget(spec, id, all) ??
          // Invalid profiles abort the start anyway.
          (curves.kind === 'invalid' ? undefined : unprofiledPins(stage, wanted, curves)));
    if (objection === undefined) kept = all;
    else objections.push(objection);
  }
  return [kept, objections];
}

function beyondBudget(spec: PipelineSpec, id: string, pins: PinsByStage): string | undefined {
  const objection = pinsObjection(spec, pins);
  return objection === undefined ? undefined : `with that of ${id} there would be no plan: ${objection}`;
}
