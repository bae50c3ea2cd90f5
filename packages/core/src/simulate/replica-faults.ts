/**
 * What goes wrong with simulated replicas: they crash, hang, are slow for a while, or do not start. A schedule says it for each replica
 * by its name, so a run repeats, and a test can do the same to real replicas.
 */
import { drawExponential, type Rng } from '../kernel/rng.js';
import type { StageId } from '../model/ids.js';
import type { RunningReplica } from '../model/running-plan.js';

/**
 * One fault. From a `crash` on the replica is gone: its batch fails, and it is restarted after a back-off. From a `hang` on it answers
 * nothing any more: its batch never ends, nobody notices. Batches that start while it is `slow` take `factor` times as long. Batches that end while it is `failing` fail.
 */
export type ReplicaFault =
  | { readonly kind: 'crash'; readonly atMs: number }
  | { readonly kind: 'hang'; readonly atMs: number }
  | { readonly kind: 'slow'; readonly fromMs: number; readonly untilMs: number; readonly factor: number }
  | { readonly kind: 'failing'; readonly fromMs: number; readonly untilMs: number };

/** The faults of replicas by name. */
export interface FaultSchedule {
  startFails(stageId: StageId, replica: RunningReplica): boolean;
  /** Faults of a replica that is in service from `readyAtMs` on. */
  faultsOf(stageId: StageId, replica: RunningReplica, readyAtMs: number): readonly ReplicaFault[];
}

/** How often a replica fails; a rate of 0 is never. */
export interface FaultRates {
  readonly crashesPerHour: number;
  readonly hangsPerHour: number;
  readonly slowdownsPerHour: number;
  readonly slowMs: number;
  readonly slowFactor: number;
  /** None when left out. */
  readonly failingSpellsPerHour?: number;
  readonly failingMs?: number;
  /** Chance (0…1) that a start fails. */
  readonly startFailureFraction: number;
}

const HOUR_MS = 3_600_000;

/** Faults at random, memoryless, each replica from a stream of its own: at most one of each kind in its life. */
export function randomFaults(rates: FaultRates, rng: Rng): FaultSchedule {
  return {
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

/** How much longer a batch takes that starts now. */
export function slowness(faults: readonly ReplicaFault[], nowMs: number): number {
  let factor = 1;
  for (const fault of faults) {
    if (fault.kind === 'slow' && fault.fromMs <= nowMs && nowMs < fault.untilMs) factor *= fault.factor;
  }
  return factor;
}

/** Whether a batch that ends now fails. */
export function failsBatches(faults: readonly ReplicaFault[], nowMs: number): boolean {
  return faults.some((fault) => fault.kind === 'failing' && fault.fromMs <= nowMs && nowMs < fault.untilMs);
}

/** Whether a replica answers nothing any more. */
export function hangs(faults: readonly ReplicaFault[], nowMs: number): boolean {
  return faults.some((fault) => fault.kind === 'hang' && fault.atMs <= nowMs);
}
