/**
 * Faults of simulated replicas. They depend only on seed, replica name, input and time, so tests can apply them to real
 * replicas.
 */
import { drawExponential, type Rng } from '../kernel/rng.js';
import type { StageId } from '../model/ids.js';
import type { RunningReplica } from '../model/running-plan.js';

/**
 * `crash`: loses the batch and restarts after a back-off. `hang`: batches never end. `slow`: batches take `factor`
 * times as long. `failing`: all batches fail, or a `fraction` of them.
 */
export type ReplicaFault =
  | { readonly kind: 'crash'; readonly atMs: number }
  | { readonly kind: 'hang'; readonly atMs: number }
  | { readonly kind: 'slow'; readonly fromMs: number; readonly untilMs: number; readonly factor: number }
  | { readonly kind: 'failing'; readonly fromMs: number; readonly untilMs: number; readonly fraction?: number };

export interface FaultSchedule {
  startFails(stageId: StageId, replica: RunningReplica): boolean;
  faultsOf(stageId: StageId, replica: RunningReplica, readyAtMs: number): readonly ReplicaFault[];
  /** True if this input hangs every replica of the stage. `key` is the key of `ItemChances`. Default: never. */
  hangsOn?(stageId: StageId, key: number): boolean;
}

/** A rate of 0 means never. */
export interface FaultRates {
  readonly crashesPerHour: number;
  readonly hangsPerHour: number;
  readonly slowdownsPerHour: number;
  readonly slowMs: number;
  readonly slowFactor: number;
  /** Default: no failing spells. */
  readonly failingSpellsPerHour?: number;
  readonly failingMs?: number;
  /** Fraction of inputs that hang a stage; default 0. */
  readonly poisonFraction?: number;
  /** Probability 0…1. */
  readonly startFailureFraction: number;
}

const HOUR_MS = 3_600_000;

/** Memoryless faults, at most one of each kind per replica. Each replica has its own random stream. */
export function randomFaults(rates: FaultRates, rng: Rng): FaultSchedule {
  const { poisonFraction = 0 } = rates;
  return {
    ...(poisonFraction > 0 && { hangsOn: (stageId, key) => poisons(poisonFraction, stageId, key) }),
    startFails: (_stageId, { replicaId }) => rng.fork(`start/${replicaId}`).next() < rates.startFailureFraction,
    faultsOf: (_stageId, { replicaId }, readyAtMs) => {
      const own = rng.fork(`life/${replicaId}`);
      const after = (perHour: number) =>
        readyAtMs + (perHour > 0 ? (drawExponential(own) * HOUR_MS) / perHour : Number.POSITIVE_INFINITY);
      const [crashAtMs, hangAtMs, fromMs, failsFromMs] = [
        after(rates.crashesPerHour),
        after(rates.hangsPerHour),
        after(rates.slowdownsPerHour),
        after(rates.failingSpellsPerHour ?? 0),
      ];
      const faults: readonly ReplicaFault[] = [
        { kind: 'crash', atMs: crashAtMs },
        { kind: 'hang', atMs: hangAtMs },
        { kind: 'slow', fromMs, untilMs: fromMs + rates.slowMs, factor: rates.slowFactor },
        { kind: 'failing', fromMs: failsFromMs, untilMs: failsFromMs + (rates.failingMs ?? 0) },
      ];
      return faults.filter((fault) => ('atMs' in fault ? fault.atMs : fault.fromMs) < Number.POSITIVE_INFINITY);
    },
  };
}

/** True for the same inputs under every plan. */
function poisons(fraction: number, stageId: StageId, key: number): boolean {
  let bits = key | 0;
  for (let i = 0; i < stageId.length; i++) bits = Math.imul(bits ^ stageId.charCodeAt(i), 0x01000193);
  return fractionOf(bits) < fraction;
}

export function slowness(faults: readonly ReplicaFault[], nowMs: number): number {
  let factor = 1;
  for (const fault of faults) {
    if (fault.kind === 'slow' && fault.fromMs <= nowMs && nowMs < fault.untilMs) factor *= fault.factor;
  }
  return factor;
}

export function failsBatches(faults: readonly ReplicaFault[], nowMs: number): boolean {
  return faults.some((fault) => {
    if (fault.kind !== 'failing' || nowMs < fault.fromMs || nowMs >= fault.untilMs) return false;
    return fault.fraction === undefined || uniformOf(nowMs) < fault.fraction;
  });
}

export function hangs(faults: readonly ReplicaFault[], nowMs: number): boolean {
  return faults.some((fault) => fault.kind === 'hang' && fault.atMs <= nowMs);
}

/** Number in [0, 1) that depends only on the time, so that a real replica fails the same batches. */
function uniformOf(nowMs: number): number {
  return fractionOf(Math.floor(nowMs * 1000));
}

function fractionOf(number: number): number {
  let bits = Math.imul(number, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca6b);
  return ((bits ^ (bits >>> 13)) >>> 0) / 2 ** 32;
}
