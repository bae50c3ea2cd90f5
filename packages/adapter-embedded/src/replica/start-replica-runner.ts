/** Starts replicas that run code: finds the files, sends their paths and awaits the load, with a time limit. */
import { defaultRunTimeoutMs, invariant } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, LoadableVariant } from '@equipoise/core/ports';
import type { ModuleCompiler } from '../stage-module/compile-module.js';
import { resolveArtifact } from '../stage-module/stage-artifact.js';
import { locateStageModule } from '../stage-module/stage-module-loader.js';
import type { ReplicaChannel } from './replica-channel.js';
import type { ReplicaStart } from './replica-protocol.js';
import { ReplicaRunner, type RunnerFacts } from './replica-runner.js';

const DEFAULT_LAUNCH_TIMEOUT_MS = 120_000;

/** Maximum load time of a variant (default 120 s). */
export interface LaunchLimits {
  readonly launchTimeoutMs?: number;
}

/** The variant with its artifact; throws the errors of resolveArtifact. */
export function loadableVariant({ variant, baseDir }: LaunchRequest): LoadableVariant {
  const artifactPath = variant.artifact === undefined ? undefined : resolveArtifact(variant.artifact, baseDir);
  return {
    name: variant.id,
    ...(artifactPath === undefined ? {} : { artifactPath }),
    parameters: variant.parameters,
  };
}

/** Rejects with AppError if the module or the artifact is missing or does not compile. */
export async function replicaStart(request: LaunchRequest, compiler: ModuleCompiler): Promise<ReplicaStart> {
  const { stage, resources, baseDir } = request;
  invariant(stage.module !== undefined, `stage '${stage.id}' has a module`);
  const module = await locateStageModule(stage.module, baseDir, compiler);
  return { module, variant: loadableVariant(request), resources };
}

export const replicaTitle = ({ stage, variant }: LaunchRequest): string => `${stage.id}/${variant.id}`;

function factsOf({ stage, variant }: LaunchRequest): RunnerFacts {
  const { batchSizes } = stage.bounds;
  const maxBatchSize =
    batchSizes === undefined ? Number.POSITIVE_INFINITY : Math.max(...batchSizes, stage.pins.maxBatchSize ?? 1);
  const { runTimeoutMs = defaultRunTimeoutMs } = stage;
  return { stage: stage.id, variant: variant.id, maxBatchSize, runTimeoutMs };
}

/** Starts a replica; `startedAtMs` is a time of `performance.now`. */
export async function startReplicaRunner(
  request: LaunchRequest,
  far: { readonly channel: ReplicaChannel; readonly start: ReplicaStart; readonly startedAtMs: number },
  { launchTimeoutMs = DEFAULT_LAUNCH_TIMEOUT_MS }: LaunchLimits,
): Promise<LaunchedReplica> {
  const runner = new ReplicaRunner(far.channel, factsOf(request));
  far.channel.send({ kind: 'load', start: far.start });
  const timeout = setTimeout(() => runner.giveUpLoading(launchTimeoutMs), launchTimeoutMs);
  try {
    await runner.ready;
  } finally {
    clearTimeout(timeout);
  }
  const { residentBytes } = far.channel;
  return { runner, loadMs: performance.now() - far.startedAtMs, ...(residentBytes !== undefined && { residentBytes }) };
}
