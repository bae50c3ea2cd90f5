/**
 * Several `equipoise operator` processes, each with its shards, for many pipelines on a real API server. Measures what each
 * costs under a steady load, the time from a decision until it is on the server, and what happens when one is killed.
 */
import { SeededRng } from '@equipoise/core/model';
import { pipelines } from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import {
  eventually,
  operatorAccount,
} from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { OperatorCommand } from '../../packages/adapter-kubernetes/src/test-cluster/operator-command.test-support.js';
import { human, startApiServer } from './cluster.js';
import { type OperatorWaits, waitCounts, waitsBetween } from './operator-waits.js';
import { chain, pipelineName } from './scale-pipelines.js';
import { residentMibOf, SteadyLoad, usedCores } from './scale-planning.js';

export interface OperatorsQuestion {
  readonly pipelines: number;
  readonly stages: number;
  readonly operators: number;
  readonly shards: number;
  readonly arrivalRps: number;
  /** Time for the first plans near this load, before the load counts as steady. */
  readonly settlingS: number;
  readonly steadyS: number;
  /** Pipelines whose load becomes six times as large at the same time. */
  readonly decisions: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export interface OperatorsFigures extends Omit<OperatorsQuestion, 'onProgress' | 'seed'> {
  /** From the start of the operators until all pipelines run. */
  readonly startS: number;
  readonly each: readonly {
    readonly shards: number;
    readonly pipelines: number;
    readonly cores: number;
    readonly planningCores: number;
    readonly residentMib: number;
  }[];
  /** Times (ms) from a decision until the change of its Deployment is seen. */
  readonly appliedMs: readonly number[];
  /** Waits during these decisions; missing in older figures. */
  readonly waits?: OperatorWaits;
  /** Times (ms) from the kill of an operator until others lead its shards. */
  readonly ledAgainMs: readonly number[];
  /** Deployments of steady pipelines whose spec changed in the minute after the kill. */
  readonly changedByKill: number;
  readonly failures: number;
}

const START_LIMIT_MS = 3_600_000;
const SETTLED_MS = 60_000;

interface Line {
  readonly at: string;
  readonly message: string;
  readonly shard?: number;
  readonly pipeline?: string;
}

const linesOf = (operator: OperatorCommand): readonly Line[] => operator.lines as unknown as readonly Line[];
const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 * count));

export async function measureOperators(question: OperatorsQuestion): Promise<OperatorsFigures> {
  const { onProgress = () => {}, seed, ...asked } = question;
  const names = Array.from({ length: asked.pipelines }, (_, index) => pipelineName(index));
  const load = new SteadyLoad(names, asked.arrivalRps, new SeededRng(seed));
  const cluster = await startApiServer(load);
  const { admin, namespace, workloads } = cluster;
  const flags = ['--namespace', namespace, '--lease-namespace', operatorAccount.namespace];
  const operators: OperatorCommand[] = [];
  try {
    for (const name of names)
      await admin.create(pipelines, chain(name, namespace, asked.stages, asked.arrivalRps), human);
    onProgress(`${names.length} pipelines are there`);
    const startedAtMs = performance.now();
    for (let index = 0; index < asked.operators; index++)
      operators.push(new OperatorCommand(cluster.operatorKubeconfig, ...flags, '--shards', String(asked.shards)));
    const wanted = names.length * (asked.stages + 1);
    await eventually(async () => {
      for (const operator of operators)
        if (operator.exitCode !== undefined) throw new Error(`an operator has ended with ${operator.exitCode}`);
      return workloads.readyCount >= wanted;
    }, START_LIMIT_MS);
    const startS = (performance.now() - startedAtMs) / 1000;
    onProgress(`${workloads.readyCount} Deployments run after ${startS.toFixed(0)} s`);
    await seconds(asked.settlingS);
    const each = await Promise.all(operators.map((operator) => costOf(operator, asked.steadyS)));
    onProgress(
      each.map(({ cores, residentMib }) => `${(100 * cores).toFixed(1)} % ${residentMib.toFixed(0)} MiB`).join(', '),
    );
    const before = await waitCounts(operators);
    const appliedMs =
      asked.decisions === 0
        ? []
        : await decide(names.slice(0, asked.decisions), {
            ...cluster,
            load,
            operators,
            rps: 6 * asked.arrivalRps,
          });
    const waits = waitsBetween(before, await waitCounts(operators));
    if (appliedMs.length > 0)
      onProgress(`${appliedMs.length} decisions applied, the slowest after ${Math.max(...appliedMs).toFixed(0)} ms`);
    if (operators.length > 1) await seconds(SETTLED_MS / 1000);
    const killed =
      operators.length > 1
        ? await kill(operators, workloads, names.slice(0, asked.decisions))
        : { ledAgainMs: [], changedByKill: 0 };
    if (killed.ledAgainMs.length > 0)
      onProgress(`led again after ${killed.ledAgainMs.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s`);
    const failures = operators.flatMap(({ lines }) => lines.filter(({ level }) => level === 'error')).length;
    return { ...asked, startS, each, appliedMs, ...(appliedMs.length > 0 && { waits }), ...killed, failures };
  } finally {
    await Promise.all(operators.map((operator) => operator.remove()));
    await load.close();
    await cluster.stop();
  }
}

async function costOf(operator: OperatorCommand, steadyS: number) {
  const { cores, planningCores } = await usedCores(operator, steadyS);
  const { text = '' } = (await operator.asks('/metrics')) ?? {};
  const shards = [...text.matchAll(/^equipoise_operator_leads_shard\{/gm)].length;
  const pipelineCount = Number(/^equipoise_operator_pipelines (\d+)$/m.exec(text)?.[1] ?? 0);
  return { shards, pipelines: pipelineCount, cores, planningCores, residentMib: residentMibOf(operator) };
}

type Cluster = Awaited<ReturnType<typeof startApiServer>>;

/** Raises the load of some pipelines. Returns the ms from each decision until its first Deployment has changed. */
async function decide(
  names: readonly string[],
  {
    namespace,
    workloads,
    load,
    operators,
    rps,
  }: Cluster & { load: SteadyLoad; operators: readonly OperatorCommand[]; rps: number },
): Promise<readonly number[]> {
  const changedAtMs = new Map<string, number>();
  const fromMs = Date.now();
  workloads.onChange = ({ metadata }) => {
    const key = `${namespace}/${metadata.labels?.['equipoise.dev/pipeline']}`;
    if (!changedAtMs.has(key)) changedAtMs.set(key, Date.now());
  };
  for (const name of names) load.rates.set(name, rps);
  const keys = names.map((name) => `${namespace}/${name}`);
  const decidedAtMs = (key: string): number | undefined => {
    const times = operators.flatMap((operator) =>
      linesOf(operator).flatMap(({ at, message, pipeline }) =>
        message === 'decided' && pipeline === key && Date.parse(at) >= fromMs ? [Date.parse(at)] : [],
      ),
    );
    return times.length === 0 ? undefined : Math.min(...times);
  };
  const untilMs = performance.now() + 4 * SETTLED_MS;
  while (performance.now() < untilMs && !keys.every((key) => changedAtMs.has(key))) await seconds(1);
  workloads.onChange = () => {};
  return keys.flatMap((key) => {
    const [decided, changed] = [decidedAtMs(key), changedAtMs.get(key)];
    return decided === undefined || changed === undefined ? [] : [Math.max(0, changed - decided)];
  });
}

/** Kills the first operator. Pipelines whose load was raised (`raised`) may change for other reasons. */
async function kill(operators: OperatorCommand[], workloads: Cluster['workloads'], raised: readonly string[]) {
  const [killed, ...others] = operators as [OperatorCommand, ...OperatorCommand[]];
  const ledBy = (operator: OperatorCommand, message: string): readonly (number | undefined)[] =>
    linesOf(operator).flatMap((line) => (line.message === message ? [line.shard] : []));
  const left = ledBy(killed, 'no longer leads');
  const shards = ledBy(killed, 'leads').filter((shard, index) => !left.slice(index).includes(shard));
  const before = new Map(workloads.generations);
  const killedAtMs = Date.now();
  await killed.stop('SIGKILL');
  const ledAgain = (shard: number | undefined): number | undefined => {
    const found = others.flatMap((operator) =>
      linesOf(operator).filter(
        (line) => line.message === 'leads' && line.shard === shard && Date.parse(line.at) >= killedAtMs,
      ),
    );
    return found[0] === undefined ? undefined : Date.parse(found[0].at) - killedAtMs;
  };
  await eventually(async () => shards.every((shard) => ledAgain(shard) !== undefined), 4 * SETTLED_MS);
  await seconds(SETTLED_MS / 1000);
  const isRaised = (key: string): boolean => raised.some((name) => `${key}-`.includes(`/${name}-`));
  const changedByKill = [...workloads.generations].filter(
    ([key, generation]) => before.get(key) !== generation && !isRaised(key),
  ).length;
  return { ledAgainMs: shards.map((shard) => ledAgain(shard) ?? 0), changedByKill };
}
