/**
 * Cost of `equipoise operator` with its planning threads while it plans for many pipelines under a steady load.
 * Arrivals are Poisson, so that forecasts move as on a cluster.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type Rng, SeededRng } from '@equipoise/core/model';
import { LABEL_PREFIX } from '../../packages/adapter-kubernetes/src/cluster/object-names.js';
import { deployments, pipelines } from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import {
  eventually,
  operatorAccount,
} from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { OperatorCommand } from '../../packages/adapter-kubernetes/src/test-cluster/operator-command.test-support.js';
import type { HostedPod, PodHost } from '../../packages/adapter-kubernetes/src/test-cluster/pod-host.test-support.js';
import { StandInRouters } from '../../packages/adapter-kubernetes/src/test-cluster/stand-in-routers.test-support.js';
import { type ControlPlaneCluster, human, startControlPlane } from './cluster.js';
import { chain, pipelineName } from './scale-pipelines.js';

export interface PlanningQuestion {
  readonly pipelines: number;
  readonly stages: number;
  readonly arrivalRps: number;
  /** Time for the first plans near this load, before the load counts as steady. */
  readonly settlingS: number;
  readonly steadyS: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export interface PlanningFigures
  extends Pick<PlanningQuestion, 'pipelines' | 'stages' | 'arrivalRps' | 'settlingS' | 'steadyS'> {
  readonly pageBytes: number;
  /** From the start of the command until all pipelines run. */
  readonly startS: number;
  readonly settlingCores: number;
  readonly steadyCores: number;
  /** Cores of the planning threads alone. */
  readonly steadyPlanningCores: number;
  /** Decisions under the steady load, and those that changed something. */
  readonly decisions: number;
  readonly changes: number;
  readonly residentMib: number;
  readonly threads: number;
  readonly failures: number;
}

const START_LIMIT_MS = 600_000;
/** Bytes of a router's page that are read, for ten stages. */
const PAGE_BYTES = 3_700;
const REST_LINE = '# as long as a page is\n';
/** Clock ticks of /proc a second. */
const TICKS_PER_S = 100;

export async function measurePlanning(question: PlanningQuestion): Promise<PlanningFigures> {
  const { onProgress = () => {}, arrivalRps, stages, settlingS, steadyS } = question;
  const cluster = await startControlPlane();
  const names = Array.from({ length: question.pipelines }, (_, index) => pipelineName(index));
  const load = new SteadyLoad(names, arrivalRps, new SeededRng(question.seed));
  cluster.hostPods(load);
  const flags = ['--namespace', cluster.namespace, '--lease-namespace', operatorAccount.namespace];
  let operator: OperatorCommand | undefined;
  try {
    for (const name of names)
      await cluster.admin.create(pipelines, chain(name, cluster.namespace, stages, arrivalRps), human);
    const startedAtMs = performance.now();
    const command = new OperatorCommand(cluster.operatorKubeconfig, ...flags);
    operator = command;
    await eventually(async () => (await readyCount(cluster)) === names.length * (stages + 1), START_LIMIT_MS);
    const startS = (performance.now() - startedAtMs) / 1000;
    onProgress(`all run after ${startS.toFixed(1)} s`);
    const settling = await usedCores(command, settlingS);
    onProgress(`${(100 * settling.cores).toFixed(1)} % of a core while plans for the loads around are made`);
    const before = await decided(command);
    const steady = await usedCores(command, steadyS);
    const after = await decided(command);
    onProgress(`${(100 * steady.cores).toFixed(1)} % of a core under a steady load`);
    return {
      ...{ pipelines: question.pipelines, stages, arrivalRps, settlingS, steadyS, pageBytes: PAGE_BYTES, startS },
      ...{ settlingCores: settling.cores, steadyCores: steady.cores, steadyPlanningCores: steady.planningCores },
      ...{ decisions: after.all - before.all, changes: after.changes - before.changes },
      ...{ residentMib: residentMibOf(command), threads: planningThreads(command).length },
      failures: command.lines.filter(({ level }) => level === 'error').length,
    };
  } finally {
    await operator?.remove();
    await load.close();
    await cluster.stop();
  }
}

async function readyCount({ admin, namespace }: ControlPlaneCluster): Promise<number> {
  const page = await admin.list({ type: deployments, namespace });
  const all = page.kind === 'page' ? page.objects : [];
  return all.filter(({ spec, status }) => (status?.readyReplicas ?? 0) === (spec.replicas ?? 1)).length;
}

/** Routers of several pipelines, each with its own load. */
export class SteadyLoad implements PodHost {
  readonly #routers: ReadonlyMap<string, StandInRouters>;
  readonly #timer: NodeJS.Timeout;

  /** Mean rate of pipelines whose load differs from the usual one. */
  readonly rates = new Map<string, number>();

  constructor(names: readonly string[], arrivalRps: number, rng: Rng) {
    this.#routers = new Map(names.map((name) => [name, new StandInRouters()]));
    for (const routers of this.#routers.values()) routers.restOfPage = REST_LINE.repeat(PAGE_BYTES / REST_LINE.length);
    const draw = (): void => {
      for (const [name, routers] of this.#routers) routers.rps = poisson(this.rates.get(name) ?? arrivalRps, rng);
    };
    draw();
    this.#timer = setInterval(draw, 1000);
  }

  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void {
    this.#of(pod).start(pod, podIp, changed);
  }

  stop(pod: Pick<HostedPod, 'metadata'>): Promise<void> {
    return this.#of(pod).stop(pod);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#routers.values()].map((routers) => routers.close()));
  }

  #of({ metadata }: Pick<HostedPod, 'metadata'>): StandInRouters {
    const routers = this.#routers.get(metadata.labels?.[`${LABEL_PREFIX}/pipeline`] ?? '');
    if (routers === undefined) throw new Error(`the pod ${metadata.name} is of no pipeline`);
    return routers;
  }
}

/** Knuth's product of uniform numbers, for small means. */
function poisson(mean: number, rng: Rng): number {
  let [count, product] = [0, rng.next()];
  for (; product > Math.exp(-mean); count++) product *= rng.next();
  return count;
}

export async function usedCores(operator: OperatorCommand, seconds: number) {
  const used = () => ({
    all: ticksOf(`/proc/${operator.pid}/stat`),
    planning: planningThreads(operator).reduce((sum, file) => sum + ticksOf(file), 0),
    atMs: performance.now(),
  });
  const before = used();
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const after = used();
  const tookTicks = (TICKS_PER_S * (after.atMs - before.atMs)) / 1000;
  return {
    cores: (after.all - before.all) / tookTicks,
    planningCores: (after.planning - before.planning) / tookTicks,
  };
}

/** Planning threads have a lower priority than the rest of the process. */
function planningThreads({ pid }: OperatorCommand): readonly string[] {
  const files = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/stat`);
  const niceness = (file: string): number => Number(fieldsOf(file)[NICE]);
  const main = niceness(`/proc/${pid}/stat`);
  return files.filter((file) => niceness(file) > main);
}

/** Positions after the name of the program, which may have spaces. */
const [USER_TICKS, SYSTEM_TICKS, NICE] = [11, 12, 16];

const fieldsOf = (file: string): readonly string[] =>
  readFileSync(file, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

function ticksOf(file: string): number {
  const fields = fieldsOf(file);
  return Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
}

export function residentMibOf({ pid }: OperatorCommand): number {
  const [, kib = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

async function decided(operator: OperatorCommand): Promise<{ readonly all: number; readonly changes: number }> {
  const { text = '' } = (await operator.asks('/metrics')) ?? {};
  const counts = [...text.matchAll(/^equipoise_operator_decisions_total\{kind="(\w+)"\} (\d+)/gm)];
  const of = (kinds: readonly string[]) =>
    counts.reduce((sum, [, kind = '', count]) => sum + (kinds.includes(kind) ? Number(count) : 0), 0);
  return { all: of(['hold', 'apply']), changes: of(['apply']) };
}
