/** One loaded replica, for data plane and profiler. */
import type { AppError } from '../model/app-error.js';
import type { Resources, StageSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { TensorMap } from '../model/tensor.js';

/**
 * The code of a failure names its cause. INVALID_INPUT: the client's input. STAGE_FAILED: the stage, on this input.
 * Other codes: neither; for example, an inference server is overloaded, slow or away.
 */
export type ItemResult =
  | { readonly kind: 'ok'; readonly output: TensorMap }
  | { readonly kind: 'failed'; readonly error: AppError };

/** Outputs in batch order, and the service time inside the replica. */
export interface BatchResult {
  readonly items: readonly ItemResult[];
  readonly serviceMs: number;
  /**
   * Time in ms that a CPU share is charged: CPU time of the replica since the previous batch, without waits for a core.
   * If absent, the time from sending the batch to its answer is charged.
   */
  readonly cpuMs?: number | undefined;
}

/**
 * `run` takes one batch at a time and owns its tensors, which may be transferred. If the replica is lost, it rejects
 * with AppError REPLICA_LOST. `close` waits for the current batch.
 */
export interface ModelRunner {
  run(batch: readonly TensorMap[], traceHeaders?: Readonly<Record<string, string>>): Promise<BatchResult>;
  /** True if `run` passes on `traceHeaders` (W3C trace context), so that the trace continues elsewhere. */
  readonly passesTraces?: boolean;
  /** True if `run` leaves the tensors intact for a retry. */
  readonly keepsTensors?: boolean;
  /** True if the caller alone holds the outputs, and may free their memory. */
  readonly givesTensors?: boolean;
  /** Address of the server that this replica is. Absent for other replicas. */
  readonly address?: string | undefined;
  onLost(listener: (error: AppError) => void): void;
  close(): Promise<void>;
  /** Rejects a hung batch as lost. `close` then does not wait for it. */
  abandon?(): void;
}

export interface LaunchRequest {
  readonly stage: StageSpec;
  readonly variant: VariantSpec;
  readonly resources: Resources;
  readonly baseDir: string;
}

export interface LaunchedReplica {
  readonly runner: ModelRunner;
  readonly loadMs: number;
  /** Memory of the replica's own process; undefined if unknown. Absent if the process is shared. */
  readonly residentBytes?: () => number | undefined;
}

/** Rejects with AppError FILE_NOT_FOUND, MODULE_INVALID, MODEL_LOAD_FAILED or ARTIFACT_… */
export interface ReplicaLauncher {
  launch(request: LaunchRequest): Promise<LaunchedReplica>;
}
