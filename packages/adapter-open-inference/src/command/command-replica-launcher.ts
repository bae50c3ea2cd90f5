import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, type Resources } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import type { InferenceClient } from '../client/inference-client.js';
import { tokenFor } from '../replica/server-token.js';
import {
  type ClientSettings,
  cannotStart,
  clientOf,
  runnerOver,
  type ServerLimits,
  serverOf,
} from '../replica/start-server-runner.js';
import { ServerProcess } from './server-process.js';

const DEFAULT_LAUNCH_TIMEOUT_MS = 120_000;
const ASK_AGAIN_MS = 50;
const ASK_TIMEOUT_MS = 1_000;

/** Limits of servers; `processors` defaults to those of this process. */
export interface CommandLimits extends ServerLimits {
  readonly processors?: readonly number[];
}

/**
 * Launches servers by command, one process group per replica, on free ports and, with `taskset`, on their own
 * processors. A replica is ready when its model is ready. A server that exits is a lost replica.
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
    const { launchTimeoutMs = DEFAULT_LAUNCH_TIMEOUT_MS, decodeLarge } = this.#limits;
    const { urls, model } = serverOf(request);
    const url = filledTemplate(urls[0] ?? '', values);
    const settings = { timeoutMs: ASK_TIMEOUT_MS, token: tokenFor(request), decodeLarge };
    const giveUpAtMs = performance.now() + launchTimeoutMs;
    while (started.running) {
      const client = await readyClient(url, request, settings);
      if (client !== undefined) return client;
      if (performance.now() > giveUpAtMs) {
        throw cannotStart(request, `the model ${model} at ${url} was not ready within ${launchTimeoutMs / 1000} s.`);
      }
      await Promise.race([sleep(ASK_AGAIN_MS), started.ended]);
    }
    throw cannotStart(request, `the server did not get ready: ${await started.ended}`);
  }
}

async function readyClient(
  url: string,
  request: LaunchRequest,
  settings: ClientSettings,
): Promise<InferenceClient | undefined> {
  const { model } = serverOf(request);
  try {
    const client = await clientOf(url, request, settings);
    if (await client.modelReady(model, { timeoutMs: ASK_TIMEOUT_MS })) return client;
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

type TemplateValues = Readonly<Record<string, string>>;

const templateNames = ['port', 'port2', 'port3', 'cpuCores', 'threads'] as const;

/** Throws MODEL_LOAD_FAILED for an unknown variable. */
function filledTemplate(text: string, values: TemplateValues): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `A command has no variable {${name}}; it has {${templateNames.join('}, {')}}.`,
    );
  });
}

/** Ports given to commands that may not listen yet. */
const givenOut = new Set<number>();
const MOST_GIVEN_OUT = 512;

async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = await freePort();
    if (givenOut.has(port)) continue;
    givenOut.add(port);
    ports.push(port);
  }
  for (const port of givenOut) if (givenOut.size > MOST_GIVEN_OUT) givenOut.delete(port);
  return ports;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Processors that Linux allows this process; elsewhere 0, 1 and so on. */
function usableProcessors(): readonly number[] {
  try {
    const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    const processors = list.split(',').flatMap(rangeOf);
    if (processors.length > 0) return processors;
  } catch {
    // The system is not Linux.
  }
  return Array.from({ length: availableParallelism() }, (_, index) => index);
}

function rangeOf(text: string): readonly number[] {
  const [first = Number.NaN, last = first] = text.split('-').map(Number);
  return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Pool that assigns the processors with the fewest servers. */
export class ProcessorPool {
  readonly #servers: Map<number, number>;

  constructor(processors: readonly number[]) {
    this.#servers = new Map(processors.map((processor) => [processor, 0]));
  }

  /** Takes whole processors, rounded up; undefined if all would be needed. */
  take(cpuCores: number): readonly number[] | undefined {
    const count = Math.ceil(cpuCores);
    if (count >= this.#servers.size) return undefined;
    const taken = [...this.#servers].sort(([, a], [, b]) => a - b).slice(0, count);
    for (const [processor, servers] of taken) this.#servers.set(processor, servers + 1);
    return taken.map(([processor]) => processor);
  }

  give(processors: readonly number[] | undefined): void {
    for (const processor of processors ?? []) {
      this.#servers.set(processor, (this.#servers.get(processor) ?? 1) - 1);
    }
  }
}
