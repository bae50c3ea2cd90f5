import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, type Resources } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import type { InferenceClient } from '../client/inference-client.js';
import { tokenFor } from '../replica/server-token.js';
import { cannotStart, clientOf, runnerOver, type ServerLimits, serverOf } from '../replica/start-server-runner.js';
import { filledTemplate, type TemplateValues } from './command-template.js';
import { freePorts } from './free-ports.js';
import { ProcessorPool, usableProcessors } from './processor-pool.js';
import { ServerProcess } from './server-process.js';

const DEFAULT_LAUNCH_TIMEOUT_MS = 120_000;
const ASK_AGAIN_MS = 50;

/** Server limits, and usable processors (default: those of this process). */
export interface CommandLimits extends ServerLimits {
  readonly processors?: readonly number[];
}

/**
 * Launches servers by command, one process group per replica, on free ports and, with `taskset`, on its own processors.
 * A replica is ready when its model is. A server that exits is a lost replica.
 */
export class CommandReplicaLauncher implements ReplicaLauncher {
  readonly #limits: CommandLimits;
  readonly #pool: ProcessorPool;

  constructor(limits: CommandLimits = {}) {
    this.#limits = limits;
    this.#pool = new ProcessorPool(limits.processors ?? usableProcessors());
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const values = await templateValues(request.resources);
    const processors = this.#pool.take(request.resources.cpuCores);
    const started = startServer(request, values, processors);
    const release = async () => {
      await started.stop();
      this.#pool.give(processors);
    };
    try {
      const client = await this.#whenReady(started, request, values);
      const runner = runnerOver(client, request, { ...this.#limits, release });
      void started.ended.then((reason) => runner.lose(reason));
      return { runner, loadMs: performance.now() - startedAtMs };
    } catch (error) {
      await started.kill();
      this.#pool.give(processors);
      throw error;
    }
  }

  async #whenReady(started: ServerProcess, request: LaunchRequest, values: TemplateValues): Promise<InferenceClient> {
    const { launchTimeoutMs = DEFAULT_LAUNCH_TIMEOUT_MS } = this.#limits;
    const { urls, model } = serverOf(request);
    const url = filledTemplate(urls[0] ?? '', values);
    const token = tokenFor(request);
    const giveUpAtMs = performance.now() + launchTimeoutMs;
    while (started.running) {
      const client = await readyClient(url, request, token);
      if (client !== undefined) return client;
      if (performance.now() > giveUpAtMs) {
        throw cannotStart(request, `the model ${model} at ${url} was not ready within ${launchTimeoutMs / 1000} s.`);
      }
      await Promise.race([sleep(ASK_AGAIN_MS), started.ended]);
    }
    throw cannotStart(request, `the server did not get ready: ${await started.ended}`);
  }
}

/** Returns a client once the model is ready; undefined before. */
async function readyClient(
  url: string,
  request: LaunchRequest,
  token: string | undefined,
): Promise<InferenceClient | undefined> {
  const { model } = serverOf(request);
  try {
    const client = await clientOf(url, request, { timeoutMs: 1_000, token });
    if (await client.modelReady(model, { timeoutMs: 1_000 })) return client;
    client.close();
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'WRONG_USAGE') throw error;
  }
  return undefined;
}

async function templateValues({ cpuCores }: Resources): Promise<TemplateValues> {
  const [port, port2, port3] = await freePorts(3);
  const threads = Math.max(1, Math.floor(cpuCores));
  return {
    port: String(port),
    port2: String(port2),
    port3: String(port3),
    cpuCores: String(cpuCores),
    threads: String(threads),
  };
}

function startServer(
  request: LaunchRequest,
  values: TemplateValues,
  processors: readonly number[] | undefined,
): ServerProcess {
  const { command = [], environment = {} } = serverOf(request);
  const fill = (text: string) => filledTemplate(text, values);
  return new ServerProcess({
    command: command.map(fill),
    environment: Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(value)])),
    directory: request.baseDir,
    processors,
  });
}
