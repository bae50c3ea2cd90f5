/**
 * An engine that walks the graph itself, on a real Kubernetes node: MLServer in pods, a double of Seldon Core 2 (its
 * controllers and its data plane), Prometheus, and `equipoise operator`, which knows the load only from Prometheus.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { SeededRng } from '@equipoise/core/model';
import { parseAllDocuments } from 'yaml';
import { HttpKubeApi } from '../../packages/adapter-kubernetes/src/api/http/http-kube-api.js';
import { kubeConnection } from '../../packages/adapter-kubernetes/src/api/http/kube-connection.js';
import type { KubeApi } from '../../packages/adapter-kubernetes/src/api/kube-api.js';
import type { KubeObject } from '../../packages/adapter-kubernetes/src/api/kube-object.js';
import {
  hasEnded,
  type ObservedPod,
  pipelines,
  pods,
} from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import { pipelineDefinition } from '../../packages/adapter-kubernetes/src/crd/pipeline-crd.js';
import { amountOf } from '../../packages/adapter-kubernetes/src/render/quantities.js';
import {
  ChildProgram,
  readyWithin,
} from '../../packages/adapter-kubernetes/src/test-cluster/child-program.test-support.js';
import {
  customResources,
  definitionServed,
  eventually,
  namespaces,
} from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { PrometheusServer } from '../../packages/adapter-prometheus/src/prometheus-server.test-support.js';
import { human } from './cluster.js';
import { MLSERVER_IMAGE, MODELS } from './mlserver-image.js';
import { WIDTH } from './mlserver-pipeline.js';
import { SeldonControllers } from './seldon-core-2/controllers.js';
import { SeldonGateway } from './seldon-core-2/gateway.js';
import { type LoadFigures, loadFigures, loadText, StagedLoad } from './staged-load.js';
import {
  THEIR_SLO_MS,
  THEIR_STAGES,
  THEIRS,
  type TheirChoice,
  type TheirVariant,
  theirPipeline,
} from './theirs-pipeline.js';

export interface TheirsQuestion {
  /** Kubeconfig of the node, on which the image is imported. */
  readonly kubeconfig: string;
  /** Folder with the published definitions of Seldon Core 2. */
  readonly definitions: string;
  readonly onProgress?: (line: string) => void;
}

export interface FollowFigures extends LoadFigures {
  /** Rates of the load, in words. */
  readonly load: string;
  readonly seconds: number;
  readonly decisions: number;
  /** Replicas of each stage that served at the end of each plateau. */
  readonly replicas: readonly (readonly number[])[];
  readonly mostLimitCpuCores: number;
}

export interface SwitchFigures extends LoadFigures {
  readonly changes: number;
  readonly canaries: number;
  readonly roundS: readonly number[];
  readonly mostLimitCpuCores: number;
}

const NAMESPACE = 'engines';
const SCRAPE_S = 2;
const OPERATOR_PORT = 18_482;
const OPERATOR = fileURLToPath(new URL('../../packages/app/bin/equipoise.js', import.meta.url));
const LIMIT_MS = 400_000;

/** Rates of the load: seconds, and requests per second at both ends. */
const FOLLOWED = [
  { seconds: 60, fromRps: 5, toRps: 5 },
  { seconds: 120, fromRps: 5, toRps: 50 },
  { seconds: 90, fromRps: 50, toRps: 50 },
  { seconds: 60, fromRps: 50, toRps: 5 },
  { seconds: 120, fromRps: 5, toRps: 5 },
];

/** The installed parts around the node. */
export class TheirCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'equipoise-theirs-'));
  readonly #abort = new AbortController();
  readonly #question: TheirsQuestion;
  readonly #gateway = new SeldonGateway(new SeededRng(7));
  #api!: HttpKubeApi;
  #controllers!: SeldonControllers;
  #running: Promise<void> | undefined;
  #prometheus: PrometheusServer | undefined;
  #operator: ChildProgram | undefined;
  #url = '';
  mostLimitCpuCores = 0;

  private constructor(question: TheirsQuestion) {
    this.#question = question;
  }

  static async start(question: TheirsQuestion, choice: TheirChoice): Promise<TheirCluster> {
    const cluster = new TheirCluster(question);
    try {
      await cluster.#install(choice);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #install(choice: TheirChoice): Promise<void> {
    const { kubeconfig, definitions, onProgress = () => {} } = this.#question;
    const source = { kind: 'file', path: kubeconfig } as const;
    this.#api = new HttpKubeApi(await kubeConnection(source, { nowMs: () => performance.now() }));
    await define(this.#api, [pipelineDefinition() as KubeObject, ...seldonDefinitions(definitions)]);
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
    await this.#api.apply(namespaces, namespace, human);
    this.#url = await this.#gateway.start();
    this.#controllers = new SeldonControllers(this.#api, {
      namespace: NAMESPACE,
      gateway: this.#gateway,
      pods: { image: MLSERVER_IMAGE, models: MODELS },
    });
    this.#running = Promise.all([this.#controllers.run(this.#abort.signal), this.#watchLimits()]).then(() => undefined);
    this.#prometheus = await PrometheusServer.start({ config: scrapes(new URL(this.#url).host) });
    await this.#startOperator(this.#prometheus.url);
    await this.choose(choice);
    await this.settled(choice.variant);
    onProgress('three stages serve');
  }

  async #startOperator(prometheus: string): Promise<void> {
    const { kubeconfig } = this.#question;
    const flags = ['--kubeconfig', kubeconfig, '--namespace', NAMESPACE, '--lease-namespace', NAMESPACE];
    const metrics = ['--prometheus', prometheus, '--scrape-interval-s', String(SCRAPE_S), '--port', `${OPERATOR_PORT}`];
    const log = join(this.#folder, 'operator.log');
    this.#operator = new ChildProgram(process.execPath, [OPERATOR, 'operator', ...flags, ...metrics], log);
    await readyWithin(
      LIMIT_MS,
      this.#operator,
      async () => (await fetch(`http://127.0.0.1:${OPERATOR_PORT}/readyz`)).ok,
    );
  }

  /** Last output of the operator. */
  get operatorLog(): string {
    return readFileSync(join(this.#folder, 'operator.log'), 'utf8');
  }

  get failures(): readonly string[] {
    return this.#controllers.failures;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#operator?.stop();
    await this.#running;
    await this.#prometheus?.stop();
    await this.#gateway.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Decisions that the operator has taken. */
  async decisions(): Promise<number> {
    const page = await (await fetch(`http://127.0.0.1:${OPERATOR_PORT}/metrics`)).text();
    const counts = [...page.matchAll(/^equipoise_operator_decisions_total\{[^}]*\} (\d+)/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Objects of the cluster that status and pods show. */
  async condition(type: string): Promise<string> {
    const found = await this.#api.get({ type: pipelines, namespace: NAMESPACE, name: THEIRS });
    return found?.status?.conditions?.find((each) => each.type === type)?.reason ?? '';
  }

  async #pods(): Promise<readonly ObservedPod[]> {
    const page = await this.#api.list<ObservedPod>({ type: pods, namespace: NAMESPACE });
    return page.kind === 'page' ? page.objects.filter((pod) => !hasEnded(pod)) : [];
  }

  /** Replicas that serve, by stage. */
  replicas(): readonly number[] {
    const { replicas } = this.#gateway.routes;
    return THEIR_STAGES.map((stage) =>
      [...replicas].reduce((sum, [model, urls]) => sum + (model.includes(`--${stage}--`) ? urls.length : 0), 0),
    );
  }

  /** Resolves when only this variant is left and the plan is in force. */
  async settled(variant: TheirVariant): Promise<void> {
    await eventually(async () => {
      const models = [...this.#gateway.routes.replicas.keys()];
      const steps = this.#gateway.routes.pipelines.get(THEIRS)?.steps.map(({ name }) => name) ?? [];
      const isOnly = (names: readonly string[]): boolean =>
        names.length === THEIR_STAGES.length && names.every((name) => name.endsWith(`--${variant}`));
      const isAlone = this.#gateway.routes.pipelines.size === 1 && this.#gateway.routes.splits.size === 0;
      return isOnly(steps) && isOnly(models) && isAlone && (await this.condition('Ready')) === 'AllReady';
    }, LIMIT_MS).catch(async (error: unknown) => {
      throw new Error(`${variant} does not come: ${await this.#situation()}`, { cause: error });
    });
  }

  /** Shown with a failure. */
  async #situation(): Promise<string> {
    const pipeline = await this.#api.get({ type: pipelines, namespace: NAMESPACE, name: THEIRS });
    const running = (await this.#pods()).map(({ metadata, status }) => ({ name: metadata.name, status }));
    const { pipelines: graphs, replicas } = this.#gateway.routes;
    const routes = { graphs: [...graphs.keys()], replicas: [...replicas] };
    const parts = [pipeline?.status, running, routes, [...new Set(this.failures)], this.operatorLog.slice(-2_000)];
    return parts.map((part) => JSON.stringify(part)).join('\n');
  }

  /** Changes the variant of all stages. */
  async choose(choice: TheirChoice): Promise<void> {
    const applied = await this.#api.apply(pipelines, theirPipeline(NAMESPACE, choice), { ...human, force: true });
    if (applied.kind === 'refused') throw new Error(applied.message);
  }

  load(stages: typeof FOLLOWED, seed: number): StagedLoad {
    const row = Array.from({ length: WIDTH }, (_, index) => index / WIDTH);
    return new StagedLoad({
      url: `${this.#url}/v2/models/${THEIRS}/infer`,
      headers: { 'seldon-model': `${THEIRS}.pipeline` },
      ...{ stages, rng: new SeededRng(seed) },
      body: (number) =>
        JSON.stringify({
          inputs: [{ name: 'x', datatype: 'FP32', shape: [1, WIDTH], data: [number, ...row.slice(1)] }],
        }),
      isOwn: (number, text) => (JSON.parse(text) as { outputs: { data: number[] }[] }).outputs[0]?.data[0] === number,
    });
  }

  async #watchLimits(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const running = await this.#pods().catch(() => []);
      const limits = running.reduce((sum, pod) => sum + limitOf(pod), 0);
      this.mostLimitCpuCores = Math.max(this.mostLimitCpuCores, limits);
      await sleep(500, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }
}

function limitOf({ spec }: ObservedPod): number {
  const containers = (spec?.containers ?? []) as readonly { resources?: { limits?: Record<string, string> } }[];
  return containers.reduce((sum, { resources }) => sum + amountOf(resources?.limits?.['cpu'] ?? '0'), 0);
}

/** The operator follows a load up and down. */
export async function measureFollowing(question: TheirsQuestion): Promise<FollowFigures> {
  const { onProgress = () => {} } = question;
  const cluster = await TheirCluster.start(question, { variant: 'small', canary: true });
  try {
    const before = await cluster.decisions();
    const beganMs = performance.now();
    const sending = cluster.load(FOLLOWED, 3);
    const replicas: (readonly number[])[] = [];
    for (const { seconds, fromRps, toRps } of FOLLOWED) {
      for (let second = 0; second < seconds; second++) {
        await sleep(1_000);
        if (second % 10 === 0)
          onProgress(`${fromRps} → ${toRps} rps, ${cluster.replicas().join(' ')} replicas, ${sending.sent} sent`);
      }
      if (fromRps === toRps) replicas.push(cluster.replicas());
    }
    const requests = await sending.ended;
    const seconds = (performance.now() - beganMs) / 1000;
    const decisions = (await cluster.decisions()) - before;
    onProgress(cluster.operatorLog);
    for (const failure of new Set(cluster.failures)) onProgress(failure);
    const { mostLimitCpuCores } = cluster;
    const figures = { ...loadFigures(requests, THEIR_SLO_MS), load: loadText(FOLLOWED), seconds };
    return { ...figures, decisions, replicas, mostLimitCpuCores };
  } finally {
    await cluster.stop();
  }
}

/** All stages change their variant in rounds, the first ones with canaries. */
export async function measureSwitches(
  question: TheirsQuestion,
  { rounds, canaries }: { readonly rounds: number; readonly canaries: number },
): Promise<SwitchFigures> {
  const { onProgress = () => {} } = question;
  const cluster = await TheirCluster.start(question, { variant: 'small', canary: canaries > 0 });
  try {
    const load = cluster.load([{ seconds: 24 * 3_600, fromRps: 5, toRps: 5 }], 5);
    await sleep(15_000);
    const roundS: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const beganMs = performance.now();
      const variant = round % 2 === 0 ? 'large' : 'small';
      await cluster.choose({ variant, canary: round < canaries });
      await cluster.settled(variant);
      roundS.push((performance.now() - beganMs) / 1000);
      onProgress(`round ${round + 1}: ${variant} in ${roundS.at(-1)?.toFixed(0)} s, ${load.sent} requests`);
    }
    load.stop();
    const requests = await load.ended;
    onProgress(cluster.operatorLog);
    for (const failure of new Set(cluster.failures)) onProgress(failure);
    const changes = rounds * THEIR_STAGES.length;
    const { mostLimitCpuCores } = cluster;
    return {
      ...loadFigures(requests, THEIR_SLO_MS),
      changes,
      canaries: canaries * THEIR_STAGES.length,
      roundS,
      mostLimitCpuCores,
    };
  } finally {
    await cluster.stop();
  }
}

/** Prometheus scrapes the double's series and MLServer's pods. Debian builds it without discovery by Kubernetes. */
const scrapes = (gateway: string): string => `
global: { scrape_interval: ${SCRAPE_S}s }
scrape_configs:
  - job_name: seldon
    static_configs: [{ targets: ['${gateway}'], labels: { namespace: ${NAMESPACE} } }]
  - job_name: mlserver
    http_sd_configs: [{ url: 'http://${gateway}/targets', refresh_interval: 5s }]
`;

function seldonDefinitions(folder: string): readonly KubeObject[] {
  const files = readdirSync(folder).filter((file) => file.startsWith('mlops.seldon.io'));
  return files.flatMap((file) =>
    parseAllDocuments(gunzipSync(readFileSync(join(folder, file))).toString('utf8')).flatMap((document) =>
      document.contents === null ? [] : [document.toJS() as KubeObject],
    ),
  );
}

async function define(api: KubeApi, definitions: readonly KubeObject[]): Promise<void> {
  for (const definition of definitions) {
    const applied = await api.apply(customResources, definition as never, { ...human, force: true });
    if (applied.kind === 'refused') throw new Error(applied.message);
    await definitionServed(api, definition.metadata.name);
  }
}
