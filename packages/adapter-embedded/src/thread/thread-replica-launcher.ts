/**
 * Replicas as threads of this process. Files are found and compiled before a thread starts, so a wrong path costs
 * nothing. Output goes to stderr, because stdout belongs to the program. `memoryBytes` bounds the JavaScript heap (see
 * heap-limit), not tensors and model weights.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { StageId } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { heapLimitMib, YOUNG_GENERATION_MIB } from '../replica/heap-limit.js';
import { type LaunchLimits, replicaStart, replicaTitle, startReplicaRunner } from '../replica/start-replica-runner.js';
import { ModuleCompiler } from '../stage-module/compile-module.js';
import { ThreadChannel } from './thread-channel.js';

/** Resolved by name, so that it works from source and from the build. */
const threadFile = createRequire(import.meta.url).resolve('@equipoise/adapter-embedded/replica-thread');

function startThread(request: LaunchRequest): Worker {
  const maxOldGenerationSizeMb = heapLimitMib(request.resources);
  const worker = new Worker(threadFile, {
    name: replicaTitle(request),
    execArgv: ['--experimental-import-meta-resolve'],
    stdout: true,
    resourceLimits: {
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB,
      ...(maxOldGenerationSizeMb !== undefined && { maxOldGenerationSizeMb }),
    },
  });
  worker.stdout.on('data', (chunk: Uint8Array) => process.stderr.write(chunk));
  return worker;
}

export class ThreadReplicaLauncher implements ReplicaLauncher {
  readonly #compiler = new ModuleCompiler();
  readonly #limits: LaunchLimits;
  /** By stage, the threads that were given up and still run. */
  readonly #stuck = new Map<StageId, Set<Worker>>();

  constructor(limits: LaunchLimits = {}) {
    this.#limits = limits;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const start = await replicaStart(request, this.#compiler);
    const channel = new ThreadChannel(startThread(request), (thread) => this.#noteStuck(request, thread));
    return startReplicaRunner(request, { channel, start, startedAtMs }, this.#limits);
  }

  /** Number of threads of a stage that were given up and still run. Each keeps its memory, and a core if it computes. */
  stuckThreads(stage: StageId): number {
    return this.#stuck.get(stage)?.size ?? 0;
  }

  #noteStuck({ stage }: LaunchRequest, thread: Worker): void {
    const stuck = this.#stuck.get(stage.id) ?? new Set();
    this.#stuck.set(stage.id, stuck.add(thread));
    thread.once('exit', () => stuck.delete(thread));
  }
}
