/**
 * Replicas as separate processes: one that crashes, fills its memory or hangs affects no other, and can be killed at
 * any time. A start costs some 50 ms more than a thread's, a batch some 0.1 ms and two copies of its tensors. The
 * process gets no flags of this one. `memoryBytes` bounds the JavaScript heap, with a floor, as for threads.
 */
import { createRequire } from 'node:module';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { heapLimitMib } from '../replica/heap-limit.js';
import { type LaunchLimits, replicaStart, replicaTitle, startReplicaRunner } from '../replica/start-replica-runner.js';
import { ModuleCompiler } from '../stage-module/compile-module.js';
import { startProcess } from './start-process.js';

/** Compiled entry, found by name so that this file works from source and from the build. */
const processFile = createRequire(import.meta.url).resolve('@equipoise/adapter-embedded/replica-process');

function nodeArgs(request: LaunchRequest): readonly string[] {
  const heapMib = heapLimitMib(request.resources);
  return [
    '--experimental-import-meta-resolve',
    '--no-warnings',
    `--title=${replicaTitle(request)}`,
    ...(heapMib === undefined ? [] : [`--max-old-space-size=${heapMib}`]),
    processFile,
  ];
}

/** Starts stages with a module in JavaScript or TypeScript, one process per replica. */
export class ProcessReplicaLauncher implements ReplicaLauncher {
  readonly #compiler = new ModuleCompiler();
  readonly #limits: LaunchLimits;

  constructor(limits: LaunchLimits = {}) {
    this.#limits = limits;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const start = await replicaStart(request, this.#compiler);
    const { resources } = request;
    const channel = await startProcess({ program: process.execPath, args: nodeArgs(request), resources });
    return startReplicaRunner(request, { channel, start, startedAtMs }, this.#limits);
  }
}
