/** Processor time of the router pods per request, with one router and with two, in turns under the same load. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRng } from '@equipoise/core/model';
import { cpuSeconds, isReady, NodeWorkload, routerPods } from './node-workload.js';
import { RouterLoad } from './router-load.js';
import { countsOf, type RoutersQuestion } from './routers.js';
import { ROUTERS_IMAGE, routedPipeline } from './routers-pipeline.js';

export interface TurnFigures {
  readonly routers: number;
  readonly sent: number;
  readonly lost: number;
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerRequest: number;
  /** Of the processor time of all routers, the most of one. */
  readonly mostFraction: number;
}

export interface RouterCpuFigures {
  readonly arrivalRps: number;
  readonly turnS: number;
  /** Processor time of one router without requests, in cores. */
  readonly idleCores: number;
  readonly turns: readonly TurnFigures[];
}

const TURN_S = 20;
const IDLE_S = 20;
const CONNECTIONS = 64;

export async function measureRouterCpu(question: RoutersQuestion): Promise<RouterCpuFigures> {
  const { kubeconfig, arrivalRps, rounds, seed, onProgress = () => {} } = question;
  const pipeline = routedPipeline();
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-router-cpu-'));
  const workloads = [1, 2].map((routers) => {
    const namespace = `cpu-of-${routers}`;
    return { routers, workload: new NodeWorkload({ kubeconfig, namespace, pipeline, image: ROUTERS_IMAGE }) };
  });
  try {
    for (const { routers, workload } of workloads) {
      await workload.create();
      const plan = join(folder, `plan-${routers}.json`);
      await workload.apply(await workload.plan(plan, arrivalRps, { routers, replicas: 1 }));
    }
    // Compiled code: the first requests of a process cost more.
    for (const { workload } of workloads) await turnOf(workload, { arrivalRps, seed, routers: 0 });
    const turns: TurnFigures[] = [];
    for (let round = 0; round < rounds; round++)
      for (const { routers, workload } of round % 2 === 0 ? workloads : workloads.toReversed()) {
        const turn = await turnOf(workload, { arrivalRps, seed: seed + round, routers });
        onProgress(`${routers} routers: ${JSON.stringify(turn)}`);
        turns.push(turn);
      }
    const [first] = workloads;
    const idleCores = first === undefined ? Number.NaN : await idleCoresOf(first.workload);
    return { arrivalRps, turnS: TURN_S, idleCores, turns };
  } finally {
    for (const { workload } of workloads) await workload.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function usedSeconds(workload: NodeWorkload): Promise<readonly number[]> {
  const all = (await workload.pods(routerPods())).filter(isReady);
  return all
    .map(({ metadata }) => metadata.uid)
    .sort()
    .map(cpuSeconds);
}

async function idleCoresOf(workload: NodeWorkload): Promise<number> {
  const [before = Number.NaN] = await usedSeconds(workload);
  await sleep(IDLE_S * 1000);
  const [after = Number.NaN] = await usedSeconds(workload);
  return (after - before) / IDLE_S;
}

async function turnOf(
  workload: NodeWorkload,
  { arrivalRps, seed, routers }: { readonly arrivalRps: number; readonly seed: number; readonly routers: number },
): Promise<TurnFigures> {
  const before = await usedSeconds(workload);
  const url = await workload.url();
  const load = new RouterLoad({ url, arrivalRps, rng: new SeededRng(seed), clients: CONNECTIONS });
  await sleep(TURN_S * 1000);
  const requests = await load.stop();
  const after = await usedSeconds(workload);
  const each = after.map((seconds, router) => seconds - (before[router] ?? Number.NaN));
  const all = each.reduce((sum, seconds) => sum + seconds, 0);
  const { sent, lost, refused, p50Ms, p99Ms } = countsOf(requests);
  if (p50Ms === null || p99Ms === null) throw new Error('no request was answered');
  const cpuMsPerRequest = (1000 * all) / sent;
  return { ...{ routers, sent, lost, refused, p50Ms, p99Ms, cpuMsPerRequest }, mostFraction: Math.max(...each) / all };
}
