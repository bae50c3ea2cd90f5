/**
 * Start times of replicas, learned per variant: from the tick that first sees a replica starting to the tick that sees
 * it ready. Plans use the 90 % quantile of recent starts, because a plan waits for its last replica. Before the first
 * start they use the load time of the profile.
 */
import type { Observation } from '../../model/decision.js';
import type { ReplicaId, StageId, VariantId } from '../../model/ids.js';
import { defaultFleetLimits } from '../../serve/fleet/fleet-effects.js';
import type { ControlContext } from '../rules.js';

export interface StartTimes {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  /** Times (ms) of the last starts. */
  readonly startMs: readonly number[];
  /** Most replicas that were starting at once. */
  readonly atOnce: number;
}

export interface StartState {
  /** Instant at which each replica was first seen starting. */
  readonly startingSinceMs: Readonly<Record<ReplicaId, number>>;
  readonly times: readonly StartTimes[];
}

export const noStarts: StartState = { startingSinceMs: {}, times: [] };

const REMEMBERED = 20;
const QUANTILE = 0.9;

/** Adds the starts seen by a tick; returns the same object if there are none. */
export function observeStarts(before: StartState, { atMs, runningPlan }: Observation): StartState {
  const startingSinceMs: Record<ReplicaId, number> = {};
  let { times } = before;
  for (const [id, { replicas }] of Object.entries(runningPlan.stages)) {
    const starting = replicas.filter(({ status }) => status === 'starting');
    for (const { replicaId, variantId, status } of replicas) {
      const sinceMs = before.startingSinceMs[replicaId];
      if (status === 'starting') startingSinceMs[replicaId] = sinceMs ?? atMs;
      if (status !== 'ready' || sinceMs === undefined || sinceMs > atMs) continue;
      const atOnce = starting.filter((other) => other.variantId === variantId).length + 1;
      times = withStart(times, { stageId: id as StageId, variantId, startMs: [atMs - sinceMs], atOnce });
    }
  }
  const isQuiet = [startingSinceMs, before.startingSinceMs].every((each) => Object.keys(each).length === 0);
  return isQuiet ? before : { startingSinceMs, times };
}

function withStart(times: readonly StartTimes[], { stageId, variantId, startMs, atOnce }: StartTimes) {
  const isOf = (each: StartTimes) => each.stageId === stageId && each.variantId === variantId;
  const known = times.find(isOf);
  const all = [...(known?.startMs ?? []), ...startMs].slice(-REMEMBERED);
  return [
    ...times.filter((each) => !isOf(each)),
    { stageId, variantId, startMs: all, atOnce: Math.max(known?.atOnce ?? 0, atOnce) },
  ];
}

/** The times reduced to their 90 % quantile: decisions use nothing else. */
export function summarizedStarts({ times }: StartState): readonly StartTimes[] {
  return times.map((each) => ({ ...each, startMs: [quantileMs(each.startMs)] }));
}

/** Expected start time of a variant, and how many of its replicas start at once. */
export function startOf(
  context: Pick<ControlContext, 'spec' | 'profiles'>,
  times: readonly StartTimes[],
  { stageId, variantId }: Pick<StartTimes, 'stageId' | 'variantId'>,
): { readonly startMs: number; readonly atOnce: number } {
  const known = times.find((each) => each.stageId === stageId && each.variantId === variantId);
  return {
    startMs: known === undefined ? profiledLoadMs(context, stageId, variantId) : quantileMs(known.startMs),
    atOnce: Math.max(defaultFleetLimits.startConcurrency, known?.atOnce ?? 0),
  };
}

/** Load time of a variant by its profile, else by the pipeline file; 0 if unknown. */
export function profiledLoadMs(
  { spec, profiles }: Pick<ControlContext, 'spec' | 'profiles'>,
  stageId: StageId,
  variantId: VariantId,
): number {
  const measured = profiles.find((profile) => profile.stageId === stageId && profile.variantId === variantId)?.loadMs;
  const declared = spec.stages.find(({ id }) => id === stageId)?.variants.find(({ id }) => id === variantId)?.loadMs;
  return measured ?? declared ?? 0;
}

function quantileMs(startMs: readonly number[]): number {
  return startMs.toSorted((a, b) => a - b)[Math.ceil(QUANTILE * startMs.length) - 1] ?? 0;
}
