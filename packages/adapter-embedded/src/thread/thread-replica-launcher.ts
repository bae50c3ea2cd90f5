/**
 * Replicas as threads of this process. Files are looked up and TypeScript is compiled before a thread starts, so that a wrong
 * path costs nothing. A thread gets no flags of this process (they are for its own code) and what it prints goes to stderr,
 * because stdout belongs to the program. `memoryBytes` bounds the thread's JavaScript heap, with a floor that lets Node and a
 * model runtime start; tensors and model weights lie outside that heap and are not bounded by it. A load that takes too long is given up.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { invariant, type LaunchedReplica, type LaunchRequest, type ReplicaLauncher } from '@equipoise/core';
import { ModuleCompiler } from '../stage-module/compile-module.js';
import { resolveArtifact } from '../stage-module/stage-artifact.js';
import { locateStageModule } from '../stage-module/stage-module-loader.js';
import type { ThreadStart } from './thread-protocol.js';
import { type RunnerFacts, ThreadRunner } from './thread-runner.js';

const MIB = 1024 ** 2;
const DEFAULT_LAUNCH_TIMEOUT_MS = 120_000;
const leastHeapMib = 128;

/** The compiled entry, found by name so that this file works from source and from the build alike. */
const threadFile = createRequire(import.meta.url).resolve('@equipoise/adapter-embedded/replica-thread');

async function startOf(
  { stage, variant, resources, baseDir }: LaunchRequest,
  compiler: ModuleCompiler,
): Promise<ThreadStart> {
  invariant(stage.module !== undefined, `stage '${stage.id}' has a module`);
  const module = await locateStageModule(stage.module, baseDir, compiler);
  const artifactPath = variant.artifact === undefined ? undefined : await resolveArtifact(variant.artifact, baseDir);
  return {
    module,
    variant: {
      name: variant.id,
      ...(artifactPath === undefined ? {} : { artifactPath }),
      parameters: variant.parameters,
    },
    resources,
  };
}

function startThread(start: ThreadStart, name: string): Worker {
  const { memoryBytes } = start.resources;
  const worker = new Worker(threadFile, {
    name,
    workerData: start,
    execArgv: ['--experimental-import-meta-resolve'],
    stdout: true,
    ...(memoryBytes > 0
      ? { resourceLimits: { maxOldGenerationSizeMb: Math.max(leastHeapMib, Math.ceil(memoryBytes / MIB)) } }
      : {}),
  });
  worker.stdout.on('data', (chunk: Uint8Array) => process.stderr.write(chunk));
  return worker;
}

function factsOf({ stage, variant }: LaunchRequest): RunnerFacts {
  const { batchSizes } = stage.bounds;
  const maxBatchSize =
    batchSizes === undefined ? Number.POSITIVE_INFINITY : Math.max(...batchSizes, stage.pins.maxBatchSize ?? 1);
  return { stage: stage.id, variant: variant.id, maxBatchSize };
}

/** How threads are started; `launchTimeoutMs` (120 s) is the longest a variant may take to load. */
export interface ThreadReplicaOptions {
  readonly launchTimeoutMs?: number;
}

/** Starts stages that have a module, each replica in a thread of its own. */
export class ThreadReplicaLauncher implements ReplicaLauncher {
  readonly #compiler = new ModuleCompiler();
  readonly #launchTimeoutMs: number;

  constructor({ launchTimeoutMs = DEFAULT_LAUNCH_TIMEOUT_MS }: ThreadReplicaOptions = {}) {
    this.#launchTimeoutMs = launchTimeoutMs;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const start = await startOf(request, this.#compiler);
    const runner = new ThreadRunner(startThread(start, `${request.stage.id}/${request.variant.id}`), factsOf(request));
    const timeout = setTimeout(() => runner.giveUpLoading(this.#launchTimeoutMs), this.#launchTimeoutMs);
    try {
      await runner.ready;
    } finally {
      clearTimeout(timeout);
    }
    return { runner, loadMs: performance.now() - startedAtMs };
  }
}
