/**
 * Replicas of Python stages as processes that need only Python's standard library. On Linux, `memoryBytes` bounds the
 * memory of the process, with a minimum.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { AppError, invariant } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import {
  type LaunchLimits,
  loadableVariant,
  replicaTitle,
  startReplicaRunner,
} from '../replica/start-replica-runner.js';
import { existingModuleFile } from '../stage-module/stage-module-loader.js';
import type { ProcessChannel } from './process-channel.js';
import { pythonProgram } from './python-program.js';
import { startProcess } from './start-process.js';

const runnerFile = createRequire(import.meta.url).resolve('@equipoise/adapter-embedded/python-runner');

async function startPython(request: LaunchRequest): Promise<ProcessChannel> {
  const program = pythonProgram(request.stage, request.baseDir);
  try {
    // -u: unbuffered output.
    const args = ['-u', runnerFile, replicaTitle(request)];
    return await startProcess({ program, args, resources: request.resources });
  } catch (error) {
    const problem = `Stage '${request.stage.id}' is written in Python, but no program ${program} can be started here. Install Python 3.8 or newer, or name its program in the field python of the stage.`;
    throw new AppError('MODEL_LOAD_FAILED', problem, { details: { stage: request.stage.id, program }, cause: error });
  }
}

export class PythonReplicaLauncher implements ReplicaLauncher {
  readonly #limits: LaunchLimits;

  constructor(limits: LaunchLimits = {}) {
    this.#limits = limits;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const { stage, resources, baseDir } = request;
    invariant(stage.module !== undefined, `stage '${stage.id}' has a module`);
    const url = pathToFileURL(existingModuleFile(stage.module, baseDir)).href;
    const variant = loadableVariant(request);
    const channel = await startPython(request);
    const start = { module: { kind: 'file', url }, variant, resources } as const;
    return startReplicaRunner(request, { channel, start, startedAtMs }, this.#limits);
  }
}
