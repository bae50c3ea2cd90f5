/**
 * Latencies of pods with CPU limits on a real node, next to the simulation with quotas of the kernel. One stage works for
 * some 30 ms, so that its limit counts more than the way to its pod. The profile is calibrated on the machine of the node
 * first: there a core that has rested takes up to twice as long, which a profile does not show.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SeededRng } from '@equipoise/core/model';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { outputOf, runToEnd } from '../../packages/testkit/src/run-to-end.js';
import { NodeWorkload } from './node-workload.js';
import { RouterLoad } from './router-load.js';
import { countsOf, type RoutersQuestion } from './routers.js';
import { OTHER_STAGE, WORKING_IMAGE, WORKING_STAGE, workingPipeline } from './working-pipeline.js';

interface LimitsQuestion extends Pick<RoutersQuestion, 'kubeconfig' | 'seed' | 'onProgress'> {
  /** Measured requests at each limit and load. */
  readonly requests: number;
}

interface Latencies {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LimitCell {
  readonly cpuCores: number;
  /** Of the rate at which the work of the stage takes all of its limit. */
  readonly loadFraction: number;
  readonly arrivalRps: number;
  readonly sent: number;
  readonly lost: number;
  readonly refused: number;
  readonly served: Latencies;
  readonly simulated: Latencies;
}

export interface LimitsFigures {
  readonly requests: number;
  /** Work of the stage, by its profile. */
  readonly workMs: number;
  readonly cells: readonly LimitCell[];
}

const CPU_LIMITS = [1, 0.5, 0.25, 0.05];
/** The other stage has little work, and a limit that hardly counts. */
const OTHER_LIMIT = 0.25;
/** Some 30 ms of work. The SLO is so long that no request is refused: the latencies are those of all requests. */
const PIPELINE = { name: 'limits', blocks: 750, cpuCores: CPU_LIMITS, budgetCpuCores: 4, sloMs: 20_000 };
const LOADS = [0.3, 0.5, 0.7];
/** Requests before the measured ones, while code is compiled. */
const WARM_UP = 40;
const SIMULATED_REQUESTS = 20_000;
const LIMIT_MS = 3_600_000;

const equipoise = fileURLToPath(new URL('../../packages/app/bin/equipoise', import.meta.url));

export async function measureLimits(question: LimitsQuestion): Promise<LimitsFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-limits-'));
  try {
    await calibrate({ ...question, folder });
    const runs: { readonly workMs: number; readonly cells: readonly LimitCell[] }[] = [];
    for (const cpuCores of CPU_LIMITS) runs.push(await cellsOf(cpuCores, { ...question, folder }));
    const [first] = runs;
    return {
      requests: question.requests,
      workMs: first?.workMs ?? Number.NaN,
      cells: runs.flatMap(({ cells }) => cells),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Place = LimitsQuestion & { readonly folder: string };

const workloadIn = (namespace: string, pipeline: string, { kubeconfig }: Place): NodeWorkload =>
  new NodeWorkload({ kubeconfig, namespace, pipeline, image: WORKING_IMAGE });

/** A plan with one replica of each stage; returns its file. */
function planWith(workload: NodeWorkload, cores: number, { folder }: Place): Promise<string> {
  const sizes = { routers: 1, replicas: 1, cpuCores: { [OTHER_STAGE]: OTHER_LIMIT, [WORKING_STAGE]: cores } };
  return workload.plan(join(folder, `${cores}.json`), 1, sizes);
}

/** Corrects the profile by requests that this machine serves, outside of the cluster. */
async function calibrate(place: Place): Promise<void> {
  const pipeline = workingPipeline(PIPELINE);
  const plan = await planWith(workloadIn('calibration', pipeline, place), 1, place);
  place.onProgress?.(await outputOf(runToEnd(equipoise, ['calibrate', pipeline, '--plan', plan])));
}

/** One limit, in a namespace of its own, because the node has no room for a roll-out. */
async function cellsOf(cpuCores: number, question: Place) {
  const { onProgress = () => {} } = question;
  const pipeline = workingPipeline(PIPELINE);
  const workload = workloadIn(`limit-${1000 * cpuCores}m`, pipeline, question);
  try {
    await workload.create();
    const { workMs } = await simulate(pipeline, await planWith(workload, 1, question), 1);
    const plan = await planWith(workload, cpuCores, question);
    await workload.apply(plan, { hasCpuLimits: true });
    const cells: LimitCell[] = [];
    for (const loadFraction of LOADS) {
      const arrivalRps = (loadFraction * cpuCores * 1000) / workMs;
      const { p50Ms, p99Ms } = await simulate(pipeline, plan, arrivalRps);
      const served = await serve(workload, arrivalRps, question);
      const cell = { cpuCores, loadFraction, arrivalRps, ...served, simulated: { p50Ms, p99Ms } };
      onProgress(JSON.stringify(cell));
      cells.push(cell);
    }
    return { workMs, cells };
  } finally {
    await workload.remove();
  }
}

async function serve(workload: NodeWorkload, arrivalRps: number, { requests, seed }: LimitsQuestion) {
  const load = new RouterLoad({ url: await workload.url(), arrivalRps, rng: new SeededRng(seed) });
  await eventually(async () => load.sent >= WARM_UP + requests, LIMIT_MS);
  const { sent, lost, refused, p50Ms, p99Ms } = countsOf((await load.stop()).slice(WARM_UP));
  if (p50Ms === null || p99Ms === null) throw new Error('no request was answered');
  return { sent, lost, refused, served: { p50Ms, p99Ms } };
}

interface Simulated {
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly stages: Readonly<Record<string, { readonly serviceMs: { readonly mean: number } }>>;
}

async function simulate(pipeline: string, plan: string, arrivalRps: number): Promise<Latencies & { workMs: number }> {
  const durationS = Math.ceil(SIMULATED_REQUESTS / arrivalRps);
  const load = ['--arrival-rps', String(arrivalRps), '--duration-s', String(durationS)];
  const flags = ['--plan', plan, ...load, '--cpu-quota', '--json'];
  const text = await outputOf(runToEnd(equipoise, ['simulate', pipeline, ...flags]));
  const { latencyMs, stages } = JSON.parse(text) as Simulated;
  return { p50Ms: latencyMs.p50, p99Ms: latencyMs.p99, workMs: stages[WORKING_STAGE]?.serviceMs.mean ?? Number.NaN };
}
