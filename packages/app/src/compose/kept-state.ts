/** What a pipeline goes on with after a restart, read from its store, and why what was kept is not taken where it is not. */
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

/** All that was kept. */
export interface KeptState {
  /** Of the newest decision; 0 without any. */
  readonly lastDecisionId: number;
  /** The plan to go on with: the one that was in force last, if it was good or answered a burst; of whatever description. */
  readonly good?: GoodPlan;
  readonly controller: ControllerSnapshot;
  readonly wishes: OperatorWishes;
  /** Why pins are not taken; missing where all are. */
  readonly lostPins?: readonly string[];
  /** What is not taken, in words, pins included. */
  readonly passedOver: readonly string[];
}

/** When something was kept; missing in what older versions kept, which was long ago. */
interface Dated {
  readonly keptAtEpochMs?: number;
}

/** Service times are held against the profiles that they were measured beside. */
interface KeptService extends Dated {
  readonly profilesDigest: string;
  readonly service: NonNullable<ControllerSnapshot['service']>;
}

/** Counts are those of edges in the order of the pipeline file. */
interface KeptEdges extends Dated {
  readonly edgesDigest: string;
  readonly edges: NonNullable<ControllerSnapshot['edges']>;
}

/** A change on trial and a back-off are those of one description. */
interface KeptGuardrails extends DatedGuardrails {
  readonly specDigest: string;
}

/** Now, on the clock of this process and on the wall clock. */
const clockReading = (): ClockReading => ({ atMs: performance.now(), atEpochMs: Date.now() });

/** Whether to go on with what was kept, beside which profiles, and when. */
interface KeptStateOptions {
  readonly profiles: ProfileSet;
  readonly resumes: boolean;
  readonly now?: ClockReading;
}

/** Reads what was kept of a pipeline; rejects with AppError STORE_FAILED where it cannot be read. */
export async function readKeptState(
  store: PlanStore,
  spec: PipelineSpec,
  { profiles, resumes, now = clockReading() }: KeptStateOptions,
): Promise<KeptState> {
  const { name } = spec;
  const [[last], [newestGood], inForce, learning, service, edges, guardrails, wishes] = await Promise.all([
    store.decisions(name, { limit: 1 }),
    store.goodPlans(name, 1),
    store.kept(name, 'in-force') as Promise<GoodPlan | undefined>,
    store.kept(name, 'learning') as Promise<(LearningSnapshot & Dated) | undefined>,
    store.kept(name, 'service') as Promise<KeptService | undefined>,
    store.kept(name, 'edges') as Promise<KeptEdges | undefined>,
    store.kept(name, 'guardrails') as Promise<KeptGuardrails | undefined>,
    store.kept(name, 'operator') as Promise<OperatorWishes | undefined>,
  ]);
  const lastDecisionId = last?.id ?? 0;
  // Older versions kept good plans alone.
  const good = inForce ?? newestGood;
  if (!resumes) return { lastDecisionId, controller: {}, wishes: { pins: {} }, passedOver: [] };
  const isProfiled = service?.profilesDigest === profilesDigest(spec, profiles);
  const hasEdges = edges?.edgesDigest === edgesDigest(spec);
  const [pins, unpinned] = stillPossible(spec, profiles, wishes?.pins ?? {});
  const hadCorrections = service !== undefined && service.service.corrections.length > 0;
  return {
    lastDecisionId,
    ...(good && { good }),
    controller: {
      ...agedLearned({ learning, service: isProfiled ? service : undefined, edges: hasEdges ? edges : undefined }, now),
      ...(guardrails && { guardrails: stillStanding(spec, guardrails, now) }),
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

interface KeptLearned {
  readonly learning: (LearningSnapshot & Dated) | undefined;
  readonly service: KeptService | undefined;
  readonly edges: KeptEdges | undefined;
}

/** What was learned, each part as old as it is by the wall clock. */
function agedLearned(
  { learning: dated, service, edges }: KeptLearned,
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

/** What to keep, the profiles that it was learned with, and when it is kept. */
interface Learned {
  readonly kept: ControllerSnapshot;
  readonly profiles: ProfileSet;
  readonly now?: ClockReading;
}

/** Keeps what was learned and what the guardrails remember; what is missing of it stays as it was kept before. */
export async function keepLearned(
  store: PlanStore,
  spec: PipelineSpec,
  { kept, profiles, now: keptAt = clockReading() }: Learned,
): Promise<void> {
  const { learning, service, edges, guardrails } = kept;
  const dated: Dated = { keptAtEpochMs: keptAt.atEpochMs };
  if (learning !== undefined) await store.keep(spec.name, 'learning', { ...learning, ...dated });
  if (service !== undefined) {
    const value: KeptService = { profilesDigest: profilesDigest(spec, profiles), service, ...dated };
    await store.keep(spec.name, 'service', value);
  }
  if (edges !== undefined) {
    const value: KeptEdges = { edgesDigest: edgesDigest(spec), edges, ...dated };
    await store.keep(spec.name, 'edges', value);
  }
  if (guardrails !== undefined) {
    const value: KeptGuardrails = { specDigest: specDigest(spec), guardrails, keptAt };
    await store.keep(spec.name, 'guardrails', value);
  }
}

/** The changes of the last hour count for every description; what was on trial or held back only for the one that it was tried with. */
function stillStanding(
  spec: PipelineSpec,
  { specDigest: digest, ...dated }: KeptGuardrails,
  now: ClockReading,
): NonNullable<ControllerSnapshot['guardrails']> {
  const standing = guardrailsAfterRestart(dated, now);
  if (digest === specDigest(spec)) return standing;
  const { appliedAtMs, switches } = standing;
  return { appliedAtMs, switches };
}

const edgesDigest = ({ edges }: PipelineSpec): string => sha256(canonicalJson(edges));

/** Of the profiles that were measured and of those in the pipeline file. */
function profilesDigest({ stages }: PipelineSpec, profiles: ProfileSet): string {
  const measured = profiles.map(({ stageId, variantId, points }) => ({ stageId, variantId, points }));
  const inline = stages.map(({ id, variants }) => [id, variants.map((variant) => [variant.id, variant.profile])]);
  return sha256(canonicalJson({ measured, inline }));
}

/** The pins that the pipeline file and the profiles still allow, each and together, and why others are not. */
function stillPossible(
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
        : (pinObjection(stage, wanted) ??
          beyondBudget(spec, id, all) ??
          // Profiles that are invalid end the start anyway.
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
