/** One loaded replica, wherever it runs: the data plane hands it batches, the profiler times it. */
import type { AppError } from '../model/app-error.js';
import type { Resources, StageSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { TensorMap } from '../model/tensor.js';

/** What a runner answers for each item of a batch: its output, or why this item alone failed. */
export type ItemResult =
  | { readonly kind: 'ok'; readonly output: TensorMap }
  | { readonly kind: 'failed'; readonly error: AppError };

/** Answer to a batch, in its order, with the pure service time inside the replica. */
export interface BatchResult {
  readonly items: readonly ItemResult[];
  readonly serviceMs: number;
}

/**
 * A running replica. `run` handles one batch at a time and owns the tensors it is given (they may be transferred);
 * it rejects with AppError REPLICA_LOST when the replica is gone. `close` waits for the running batch.
 */
export interface ModelRunner {
  run(batch: readonly TensorMap[]): Promise<BatchResult>;
  /** Set where `run` leaves the tensors as they are, so that the caller may hand them on again if the replica is lost. */
  readonly keepsTensors?: boolean;
  /** Called once when the replica is lost while no batch runs. */
  onLost(listener: (error: AppError) => void): void;
  close(): Promise<void>;
  /** Gives up a batch that does not end: it is rejected as lost, and `close` does not wait for it. */
  abandon?(): void;
}

/** What to start: a variant of a stage on given resources. */
export interface LaunchRequest {
  readonly stage: StageSpec;
  readonly variant: VariantSpec;
  readonly resources: Resources;
  /** Folder against which relative paths are read. */
  readonly baseDir: string;
}

/** A started replica with the time it took from start to ready. */
export interface LaunchedReplica {
  readonly runner: ModelRunner;
  readonly loadMs: number;
  /** Resident memory now of the replica's own process, undefined where the system does not tell; left out where it shares this one. */
  readonly residentBytes?: () => number | undefined;
}

/** Starts replicas; rejects with AppError (FILE_NOT_FOUND, MODULE_INVALID, MODEL_LOAD_FAILED) when one cannot start. */
export interface ReplicaLauncher {
  launch(request: LaunchRequest): Promise<LaunchedReplica>;
}
