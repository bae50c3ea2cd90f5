/** Time from the start of a stage's process until it is ready, in pods with a CPU limit of one core. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { isReady, NodeWorkload, processesOfPod, stagePods } from './node-workload.js';
import type { RoutersQuestion } from './routers.js';
import { ROUTERS_IMAGE, routedPipeline } from './routers-pipeline.js';

export interface StartFigures {
  readonly cpuLimit: string;
  readonly readyMs: readonly number[];
}

const STAGE = 'language';
const LIMIT_MS = 60_000;
const LOOK_MS = 20;
/** Of the times in /proc. */
const TICK_MS = 10;

export async function measureStarts({ kubeconfig, arrivalRps, rounds }: RoutersQuestion): Promise<StartFigures> {
  const pipeline = routedPipeline();
  const workload = new NodeWorkload({ kubeconfig, namespace: 'starts', pipeline, image: ROUTERS_IMAGE });
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-starts-'));
  try {
    await workload.create();
    await workload.apply(await workload.plan(join(folder, 'plan.json'), arrivalRps, { routers: 1, replicas: 1 }));
    const limits = '--limits=cpu=1';
    await workload.kube('set', 'resources', 'deployment', '--selector', stagePods(STAGE), limits);
    await workload.planRuns();
    const readyMs: number[] = [];
    for (let round = 0; round < rounds; round++) readyMs.push(await oneStart(workload));
    return { cpuLimit: '1', readyMs };
  } finally {
    await workload.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function oneStart(workload: NodeWorkload): Promise<number> {
  const old = await workload.pod(stagePods(STAGE));
  await workload.kube('delete', 'pod', old.metadata.name, '--wait=false');
  let ready: number | undefined;
  await eventually(async () => {
    const pods = await workload.pods(stagePods(STAGE));
    const pod = pods.find(({ metadata, status }) => metadata.uid !== old.metadata.uid && status.podIP !== undefined);
    if (pod === undefined) return false;
    ready = await readyAfter(pod.metadata.uid, pod.status.podIP ?? '');
    return true;
  }, LIMIT_MS);
  await eventually(async () => {
    const pods = await workload.pods(stagePods(STAGE));
    return pods.length === 1 && pods.every(isReady);
  }, LIMIT_MS);
  return ready ?? Number.NaN;
}

/** Time from the start of the process to the first answer that the model is ready. */
async function readyAfter(uid: string, address: string): Promise<number> {
  const url = `http://${address}:8080/v2/models/${STAGE}/ready`;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  )
    await sleep(LOOK_MS);
  const upMs = 1000 * Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const starts = processesOfPod(uid).map((process) => {
    const fields = readFileSync(`/proc/${process}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return Number(fields[19]) * TICK_MS;
  });
  return upMs - Math.min(...starts);
}
