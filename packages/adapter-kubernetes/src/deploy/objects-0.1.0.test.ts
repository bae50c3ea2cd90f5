/** Objects that version 0.1.0 wrote to a cluster: the operator takes them over and restarts nothing. */
import { readFileSync } from 'node:fs';
import { type PipelineSpec, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { type Lease, LeaseElector, leases } from '../cluster/lease-elector.js';
import {
  childTypes,
  deployments,
  type InferencePipeline,
  type ObservedDeployment,
  type ObservedPod,
  pipelines,
  pods,
} from '../cluster/observed-objects.js';
import { keptPlan } from '../plan/kept-plan.js';
import type { PipelineSignals, PlanAnswer, PlanSource } from '../plan/planning.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';
import { begun, heard, LARGE, namespace, ROUTER, SMALL, well } from '../test-cluster/memory/canary-rig.test-support.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import { images } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const name = 'shelf';
const OPERATOR = { fieldManager: 'equipoise-operator', force: true };
const KUBELET = { fieldManager: 'kubelet', force: true };

/** Restores the fixture: one object per line, without server fields; pods get their spec from their Deployment. */
class Restored {
  readonly clock = new ManualClock();
  readonly kube = new MemoryKube(this.clock, [...clusterResources, { type: leases }]);
  readonly api = new MemoryKubeApi(this.kube);
  readonly #uids = new Map<string, string>();

  static async from(state: string): Promise<Restored> {
    const file = new URL(`./fixtures/cluster-0.1.0-${state}.jsonl`, import.meta.url);
    const objects = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as KubeObject);
    const restored = new Restored();
    for (const object of objects) if (object.kind === pipelines.kind) await restored.#addPipeline(object as never);
    for (const object of objects) if (childTypes[object.kind] !== undefined) await restored.#addChild(object);
    for (const object of objects) if (object.kind === pods.kind) await restored.#addPod(object);
    for (const object of objects)
      if (object.kind === leases.kind) await restored.api.create(leases, object as Lease, { fieldManager: 'election' });
    return restored;
  }

  async #addPipeline({ status, ...object }: InferencePipeline): Promise<void> {
    const { finalizers = [], uid = '' } = object.metadata;
    const named = { ...object, metadata: { name, namespace } };
    const made = written(await this.api.create(pipelines, named, { fieldManager: 'kubectl' }));
    this.#uids.set(uid, made.metadata.uid ?? '');
    const held = { ...named, metadata: { ...named.metadata, finalizers }, spec: undefined };
    written(await this.api.apply(pipelines, held, { fieldManager: OPERATOR.fieldManager }));
    await this.#addStatus(pipelines, { ...named, status } as KubeObject, OPERATOR);
  }

  async #addChild({ status, ...object }: KubeObject & { status?: unknown }): Promise<void> {
    const type = childTypes[object.kind] as ResourceType;
    const made = written(await this.api.apply(type, this.#owned(object), OPERATOR));
    this.#uids.set(object.metadata.uid ?? '', made.metadata.uid ?? '');
    await this.#addStatus(type, { ...object, status } as KubeObject, KUBELET);
  }

  async #addPod({ status, ...pod }: KubeObject & { status?: unknown }): Promise<void> {
    const owned = this.#owned(pod);
    const { uid } = owned.metadata.ownerReferences?.[0] ?? {};
    const owner = (await this.all(deployments)).find(({ metadata }) => metadata.uid === uid) as ObservedDeployment;
    const { template } = owner.spec;
    const annotations = { ...pod.metadata.annotations, 'pod-template-hash': JSON.stringify(template) };
    const made = { ...owned, metadata: { ...owned.metadata, annotations }, spec: template.spec } as ObservedPod;
    written(await this.api.create(pods, made, { fieldManager: 'controllers' }));
    await this.#addStatus(pods, { ...pod, status } as KubeObject, KUBELET);
  }

  async #addStatus(type: ResourceType, object: KubeObject, writer: typeof OPERATOR): Promise<void> {
    if ((object as { status?: unknown }).status === undefined) return;
    const metadata = { name: object.metadata.name, namespace };
    written(await this.api.applyStatus(type, { ...object, metadata }, writer));
  }

  /** The object with the new uid of its owner. */
  #owned<T extends KubeObject>(object: T): T {
    const { uid: _, ownerReferences = [], ...metadata } = object.metadata;
    const owners = ownerReferences.map((owner) => ({ ...owner, uid: this.#uids.get(owner.uid) ?? '' }));
    return { ...object, metadata: { ...metadata, ownerReferences: owners } };
  }

  async all<T extends KubeObject>(type: ResourceType<T>): Promise<readonly T[]> {
    const page = await this.api.list({ type });
    return page.kind === 'page' ? page.objects : [];
  }

  /** Existing pods, and the template of each Deployment. */
  async running() {
    const found = { pods: await this.all(pods), deployments: await this.all(deployments) };
    return {
      pods: found.pods.map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.deletionTimestamp ?? ''}`),
      templates: Object.fromEntries(found.deployments.map(({ metadata, spec }) => [metadata.name, spec.template])),
    };
  }

  async status() {
    return (await this.api.get({ type: pipelines, namespace, name }))?.status;
  }
}

/** Keeps the plan of the status, like a restarted operator. */
class KeptPlans implements PlanSource {
  situation: PipelineSignals = { ...heard, sides: begun };
  readonly #answers = new Map<string, PlanAnswer>();

  planOf(key: string, spec: PipelineSpec, { pipeline }: ObservedPipeline): Promise<PlanAnswer> {
    const answer = this.#answers.get(key) ?? keptPlan(pipeline, spec);
    if (answer === undefined) throw new Error('the status has no plan that can be kept');
    this.#answers.set(key, answer);
    return Promise.resolve(answer);
  }

  signalsOf(): PipelineSignals {
    return this.situation;
  }

  forget(): void {}

  onDecided(): void {}
}

/** Creation of the restored pipelines. */
const RESTORED_EPOCH_MS = Date.UTC(2026, 0, 1);

/** Operator that finds these objects when it starts, `startedMs` after the creation of the pipeline. */
async function takeOver(state: string, startedMs: number) {
  const restored = await Restored.from(state);
  const { clock, kube } = restored;
  kube.startedEpochMs = RESTORED_EPOCH_MS;
  const cluster = new MemoryCluster(kube, clock);
  const source = new KeptPlans();
  const failures: string[] = [];
  const abort = new AbortController();
  const nowEpochMs = () => RESTORED_EPOCH_MS + startedMs + clock.nowMs();
  const operator = new Operator({
    ...{ api: new MemoryKubeApi(kube), clock, rng: new SeededRng(1), nowEpochMs, source },
    imagesOf: () => images,
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  });
  const before = { ...(await restored.running()), status: await restored.status() };
  const running = operator.run(abort.signal);
  const stop = async () => {
    abort.abort();
    cluster.stop();
    await running;
    expect(failures).toEqual([]);
  };
  return { restored, source, before, stop, pass: (ms: number) => clock.advanceTo(clock.nowMs() + ms) };
}

it.each([
  ['settled', 76_000, { shift: undefined, rollback: undefined }],
  ['canary', 12_200, { shift: { workloads: [LARGE], fraction: 0.1 }, rollback: undefined }],
  ['rolled-back', 14_400, { shift: undefined, rollback: expect.objectContaining({ workloads: [LARGE], failures: 1 }) }],
])('%s: no pod restarts and no pod template changes', async (state, startedMs, expected) => {
  const { restored, before, pass, stop } = await takeOver(state, startedMs);
  await pass(30_000);
  const { pods: podsNow, templates } = await restored.running();
  expect(podsNow).toEqual(before.pods);
  expect(templates).toEqual(before.templates);
  const status = await restored.status();
  expect({ shift: status?.shift, rollback: status?.rollback }).toEqual(expected);
  expect(status?.plan).toEqual(before.status?.plan);
  // The test sets the load, so SLOMet may differ.
  const conditions = (of: typeof status) =>
    of?.conditions?.flatMap(({ type, status: holds, reason }) => (type === 'SLOMet' ? [] : [[type, holds, reason]]));
  expect(conditions(status)).toEqual(conditions(before.status));
  await stop();
});

it('a canary of 0.1.0 goes on to all requests', async () => {
  const { restored, source, before, pass, stop } = await takeOver('canary', 12_200);
  await pass(2_000);
  source.situation = { ...heard, sides: well };
  await pass(120_000);
  const { pods: podsNow } = await restored.running();
  const of = (list: readonly string[], workload: string) => list.filter((each) => each.startsWith(workload));
  expect(of(podsNow, LARGE)).toEqual(of(before.pods, LARGE));
  expect(of(podsNow, SMALL)).toEqual([]);
  expect((await restored.all(deployments)).map(({ metadata }) => metadata.name)).not.toContain(`${ROUTER}--next`);
  expect((await restored.status())?.shift).toBeUndefined();
  await stop();
});

it('a lease of 0.1.0 is respected while it lasts, and taken over afterwards', async () => {
  const { clock, api } = await Restored.from('settled');
  const holder = async () =>
    (await api.get({ type: leases, namespace, name: 'equipoise-operator' }))?.spec.holderIdentity;
  const elector = new LeaseElector(
    { api, clock, rng: new SeededRng(1), nowEpochMs: () => clock.nowMs() },
    { namespace, name: 'equipoise-operator', identity: 'new' },
  );
  const abort = new AbortController();
  const lead = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  const running = elector.run({ lead }, abort.signal);
  await clock.advanceTo(14_900);
  expect(await holder()).toBe('equipoise-operator-old');
  await clock.advanceTo(20_000);
  expect(await holder()).toBe('new');
  abort.abort();
  await clock.advanceTo(25_000);
  await running;
});
