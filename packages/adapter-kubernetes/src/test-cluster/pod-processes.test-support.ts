/**
 * Pods as processes of this machine. Each has a loopback address instead of its pod IP (127.x.y.z for 10.x.y.z), so all
 * keep their rendered ports. Local folders replace the paths of an image. Commands, environment, probes, the pause
 * before SIGTERM and the grace period are those of the pod. `ServiceNames` resolves Services.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import type { ConfigMap, Container, Probe } from '../render/manifest-types.js';
import { PIPELINE_DIR, STATE_DIR } from '../render/pod-template.js';
import { ChildProgram } from './child-program.test-support.js';
import type { HostedPod, PodHost } from './pod-host.test-support.js';

/** Paths on this machine. */
export interface PodFolders {
  /** Parent folder, in which each pod gets a folder. */
  readonly state: string;
  /** Folder of the pipeline in images. */
  readonly pipeline: string;
  /** The file that `ServiceNames` writes. */
  readonly names: string;
}

const configMaps: ResourceType<ConfigMap> = {
  ...{ group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
};
const fileOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const EQUIPOISE = fileOf('../../../app/bin/equipoise.js');
const CLUSTER_NAMES = fileOf('cluster-names.mjs');
const RESTART_MS = 1_000;
/** Folder of the pipeline at the start of a path. */
const IN_IMAGE = new RegExp(`(^|[ "':=])${PIPELINE_DIR}(?=/|$)`, 'gm');

/** Loopback address of a pod IP. */
export const loopbackOf = (podIp: string): string => podIp.replace(/^10\./, '127.');

export class PodProcesses implements PodHost {
  /** Last output of containers that exited by themselves. */
  readonly ended: string[] = [];
  /** Number of containers started so far. */
  started = 0;
  readonly #api: KubeApi;
  readonly #folders: PodFolders;
  readonly #pods = new Map<string, PodProcess>();

  constructor(api: KubeApi, folders: PodFolders) {
    this.#api = api;
    this.#folders = folders;
  }

  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void {
    const started = () => {
      this.started += 1;
    };
    const told = { changed, started, ended: (lastWords: string) => this.ended.push(lastWords) };
    const process = new PodProcess(this.#api, { pod, address: loopbackOf(podIp), folders: this.#folders }, told);
    this.#pods.set(idOf(pod), process);
    process.start();
  }

  async stop(pod: Pick<HostedPod, 'metadata'>): Promise<void> {
    const process = this.#pods.get(idOf(pod));
    this.#pods.delete(idOf(pod));
    await process?.stop();
  }

  /** Ends all pods at once. */
  async kill(): Promise<void> {
    await Promise.all([...this.#pods.values()].map((pod) => pod.kill()));
    this.#pods.clear();
  }
}

interface Placed {
  readonly pod: HostedPod;
  readonly address: string;
  readonly folders: PodFolders;
}

interface Told {
  readonly changed: (isReady: boolean) => void;
  readonly started: () => void;
  readonly ended: (lastWords: string) => void;
}

class PodProcess {
  readonly #api: KubeApi;
  readonly #placed: Placed;
  readonly #told: Told;
  readonly #folder: string;
  readonly #abort = new AbortController();
  #program: ChildProgram | undefined;
  #living: Promise<void> = Promise.resolve();

  constructor(api: KubeApi, placed: Placed, told: Told) {
    this.#api = api;
    this.#placed = placed;
    this.#told = told;
    this.#folder = path.join(placed.folders.state, `${placed.pod.metadata.name}-${idOf(placed.pod)}`);
  }

  start(): void {
    this.#living = this.#live().catch((error: unknown) => this.#told.ended(String(error)));
  }

  async stop(): Promise<void> {
    const { containers, terminationGracePeriodSeconds } = this.#placed.pod.spec;
    const [container] = containers;
    const endsAtMs = performance.now() + 1000 * terminationGracePeriodSeconds;
    this.#abort.abort();
    if (container !== undefined && this.#program !== undefined && !this.#program.hasEnded)
      await this.#pause(container, endsAtMs);
    await this.#program?.stop('SIGTERM', Math.max(0, endsAtMs - performance.now()));
    await this.#living;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    this.#abort.abort();
    await this.#program?.stop('SIGKILL');
    await this.#living;
  }

  /** Runs the pause before SIGTERM; it ends no later than `endsAtMs`. */
  async #pause(container: Container, endsAtMs: number): Promise<void> {
    const preStop = container.lifecycle?.preStop;
    if (preStop === undefined) return;
    if ('sleep' in preStop) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * preStop.sleep.seconds));
      return;
    }
    const command = this.#run({ ...container, name: `${container.name}-pre-stop`, ...preStop.exec, args: [] });
    const limit = setTimeout(() => void command.stop('SIGKILL'), Math.max(0, endsAtMs - performance.now()));
    await command.ended;
    clearTimeout(limit);
    if (command.exitCode !== 0) this.#told.ended(`preStop of ${this.#placed.pod.metadata.name}: ${command.lastWords}`);
  }

  async #live(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    await this.#writeConfiguration();
    const { initContainers = [], containers } = this.#placed.pod.spec;
    for (const container of initContainers) await this.#runOnce(container);
    const [container] = containers;
    while (container !== undefined && !this.#isOver) {
      await this.#serve(container);
      if (!this.#isOver) await pause(RESTART_MS, this.#abort.signal);
    }
  }

  get #isOver(): boolean {
    return this.#abort.signal.aborted;
  }

  async #writeConfiguration(): Promise<void> {
    const { pod } = this.#placed;
    for (const volume of pod.spec.volumes) {
      if (!('configMap' in volume)) continue;
      const { namespace = '' } = pod.metadata;
      const { name, items } = volume.configMap;
      const data = (await this.#api.get({ type: configMaps, namespace, name }))?.data ?? {};
      const files = items?.map((item) => [item.path, data[item.key]] as const) ?? Object.entries(data);
      for (const [file, text] of files) {
        if (text !== undefined) writeFileSync(path.join(this.#folder, file), this.#here(text));
      }
    }
  }

  /** Runs an init container until it ends. */
  async #runOnce(container: Container): Promise<void> {
    const program = this.#begin(container);
    const stop = (): void => void program.stop('SIGKILL');
    this.#abort.signal.addEventListener('abort', stop, { once: true });
    await program.ended;
    this.#abort.signal.removeEventListener('abort', stop);
  }

  /** Runs the container of the pod until it ends. */
  async #serve(container: Container): Promise<void> {
    const program = this.#begin(container);
    this.#program = program;
    const { startupProbe, readinessProbe = startupProbe } = container;
    let isReady = readinessProbe === undefined;
    const tell = (now: boolean): void => {
      if (now !== isReady && !this.#isOver) this.#told.changed(now);
      isReady = now;
    };
    if (isReady) this.#told.changed(true);
    while (readinessProbe !== undefined && !program.hasEnded && !this.#isOver) {
      tell(await this.#answers(container, readinessProbe));
      await Promise.race([pause(1000 * readinessProbe.periodSeconds, this.#abort.signal), program.ended]);
    }
    await program.ended;
    tell(false);
    if (!this.#isOver) this.#told.ended(`${this.#placed.pod.metadata.name}: ${program.lastWords}`);
  }

  #begin(container: Container): ChildProgram {
    this.#told.started();
    return this.#run(container);
  }

  #run({ name, command, args = [], env = [], workingDir }: Container): ChildProgram {
    const variables = env.map((each) => [each.name, 'value' in each ? this.#here(each.value) : undefined] as const);
    const [program = '', ...parameters] = (command ?? [process.execPath, EQUIPOISE])
      .concat(args)
      .map((text) => this.#here(text));
    const { names } = this.#placed.folders;
    const given = Object.fromEntries(variables);
    const nodeOptions = [given['NODE_OPTIONS'], `--import=${CLUSTER_NAMES}`].filter(Boolean).join(' ');
    return new ChildProgram(program, parameters, path.join(this.#folder, `${name}.log`), {
      cwd: workingDir === undefined ? this.#folder : this.#here(workingDir),
      env: { PATH: process.env['PATH'], ...given, NODE_OPTIONS: nodeOptions, CLUSTER_NAMES_FILE: names },
    });
  }

  /** Text of a pod with local folders and address. */
  #here(text: string): string {
    const { address, folders } = this.#placed;
    return text
      .replaceAll(STATE_DIR, this.#folder)
      .replaceAll(IN_IMAGE, `$1${folders.pipeline}`)
      .replaceAll('0.0.0.0', address);
  }

  async #answers({ ports = [] }: Container, { httpGet, timeoutSeconds }: Probe): Promise<boolean> {
    const port = ports.find(({ name }) => name === httpGet?.port)?.containerPort;
    if (httpGet === undefined || port === undefined) throw new Error('only probes over HTTP are played');
    return isAnswered(`http://${this.#placed.address}:${port}${httpGet.path}`, 1000 * timeoutSeconds);
  }
}

const idOf = ({ metadata }: Pick<KubeObject, 'metadata'>): string => metadata.uid ?? metadata.name;

/** True if a GET succeeds in time. */
function isAnswered(url: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) < 400);
    });
    request.on('timeout', () => request.destroy(new Error('too slow')));
    request.on('error', () => resolve(false));
  });
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener('abort', end, { once: true });
  });
}
