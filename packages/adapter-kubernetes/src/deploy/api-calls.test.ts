/** API calls of changed plans, also of many pipelines that change at once. */
import { type Plan, SeededRng, type StagePlan, stageId, variantId } from '@equipoise/core/model';
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { pipelines } from '../cluster/observed-objects.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import { images, NOW_EPOCH_MS, ToldPlans } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const namespace = 'n';
const nameOf = (index: number): string => `stage-${index + 1}`;

const variant = (name: string, accuracy: number) => ({
  ...{ name, accuracy: { value: accuracy }, resources: { cpuCores: 1, memoryBytes: 100_000_000 } },
  profile: [1, 2].map((batchSize) => ({ cpuCores: 1, batchSize, meanMs: 5 * batchSize })),
});

const chain = (name: string, stages: number) => ({
  ...{ apiVersion: API_VERSION, kind: PIPELINE_KIND, metadata: { name, namespace } },
  spec: {
    slo: { latencyMs: 1_000, percentile: 99 },
    control: { mode: 'auto' },
    sources: [{ name: 'input' }],
    stages: Array.from({ length: stages }, (_, index) => ({
      ...{ name: nameOf(index), kind: 'model', variants: [variant('small', 0.6), variant('large', 0.8)] },
    })),
  },
});

/** Plan with the given first stage; all others have one small replica. */
function planWith(first: Partial<StagePlan>, count = 10): Plan {
  const small: StagePlan = {
    ...{ variantId: variantId('small'), resources: { cpuCores: 1, memoryBytes: 100_000_000, gpus: 0 } },
    ...{ maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 },
  };
  const stages = Array.from({ length: count }, (_, index) => [
    stageId(nameOf(index)),
    [index === 0 ? { ...small, ...first } : small],
  ]);
  const predicted = { latencyMs: 80, percentile: 99, pas: 0.5, capacityRps: 40, cpuCores: 10, costPerHour: 10 };
  return { stages: Object.fromEntries(stages), predicted };
}

/** Running pipelines; `decide` changes the plan of one or all. */
async function running(names: readonly string[], stages = 10) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  for (const name of names) written(await admin.create(pipelines, chain(name, stages), { fieldManager: 'kubectl' }));
  const source = new ToldPlans(planWith({}, stages));
  const failures: string[] = [];
  const abort = new AbortController();
  const ended = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  }).run(abort.signal);
  await clock.advanceTo(20_000);
  cluster.readyAfterMs = () => 1_000;
  const callsOf = async (plan: Plan) => {
    api.calls.splice(0);
    for (const name of names) source.decide(`${namespace}/${name}`, plan);
    await clock.advanceTo(clock.nowMs() + 30_000);
    const counts = new Map<string, number>();
    for (const call of api.calls) counts.set(call, (counts.get(call) ?? 0) + 1);
    for (const each of counts.keys()) if (each.startsWith('watch ')) counts.delete(each);
    return Object.fromEntries(counts);
  };
  const stop = async () => {
    abort.abort();
    await ended;
  };
  return { callsOf, failures, stop };
}

describe('calls for a changed plan of ten stages', () => {
  it.each<[string, Partial<StagePlan>, Readonly<Record<string, number>>]>([
    // The router only gets another annotation.
    ['another number of replicas', { replicas: 2 }, { 'apply deployments': 2 }],
    // The router forms the batches, and a stage takes each of them.
    ['another batch size', { maxBatchSize: 2 }, { 'apply deployments': 1, 'apply configmaps': 1 }],
  ])('are those of what changes: %s', async (_, first, expected) => {
    const { callsOf, failures, stop } = await running(['a']);
    const {
      'apply-status inferencepipelines': statuses,
      'create events': told,
      'apply events': repeated = 0,
      ...calls
    } = await callsOf(planWith(first));
    expect(calls).toEqual(expected);
    // Statuses: preparing, switching, ready, and progress once a second.
    expect(statuses).toBeLessThanOrEqual(8);
    expect((told ?? 0) + repeated).toBeLessThanOrEqual(8);
    expect(failures).toEqual([]);
    await stop();
  });

  it('touch no other stage than the one that gets another variant', async () => {
    const { callsOf, failures, stop } = await running(['a']);
    const {
      'apply-status inferencepipelines': statuses = 0,
      'create events': told = 0,
      'apply events': repeated = 0,
      ...calls
    } = await callsOf(planWith({ variantId: variantId('large') }));
    const writes = Object.values(calls).reduce((sum, count) => sum + count, 0);
    // Fewer than the 45 objects of the nine other stages.
    expect(writes).toBeLessThanOrEqual(36);
    expect(statuses + told + repeated).toBeLessThanOrEqual(30);
    expect(failures).toEqual([]);
    await stop();
  });

  it('are none for a plan that says the same', async () => {
    const { callsOf, stop } = await running(['a']);
    expect(await callsOf(planWith({}))).toEqual({});
    await stop();
  });

  it('grow by no more than the pipelines do', async () => {
    const [one, many] = [await running(['a'], 2), await running(['a', 'b', 'c'], 2)];
    const plan = planWith({ replicas: 2 }, 2);
    const [ofOne, ofMany] = [await one.callsOf(plan), await many.callsOf(plan)];
    const total = (calls: Readonly<Record<string, number>>) =>
      Object.values(calls).reduce((sum, count) => sum + count, 0);
    expect(total(ofMany)).toBeLessThanOrEqual(3 * total(ofOne));
    await Promise.all([one.stop(), many.stop()]);
  });
});
