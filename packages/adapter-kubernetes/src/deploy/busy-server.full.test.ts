/** Decisions on a slow API server, while the statuses of many pipelines change. */
import { type Plan, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { boundedApi, RequestSlots } from '../api/bounded-api.js';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { deployments, pipelines } from '../cluster/observed-objects.js';
import type { PipelineSignals, PlanAnswer, PlanNews, PlanSource } from '../plan/planning.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const names = Array.from({ length: 60 }, (_, index) => `shelf-${index}`);
const keyOf = (name: string): string => `n/${name}`;
/** The pipelines that are looked at last. */
const decided = names.slice(-3);
const CALL_MS = 25;
const SLOTS = 12;
/** The passes and requests under way when the decisions come: 16 statuses with their events, and twelve requests. */
const APPLIED_MS = 1_000;

/** A server that takes `callMs` for each call and answers them one after the other. Watches take no time. */
function slowServer(api: MemoryKubeApi, clock: ManualClock) {
  const server = { callMs: 0, api: api as KubeApi };
  let last: Promise<void> = Promise.resolve();
  server.api = new Proxy(api, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (name === 'watch') return member.bind(target);
      return async (...given: unknown[]): Promise<unknown> => {
        last = last.then(() => clock.sleep(server.callMs));
        await last;
        return member.apply(target, given);
      };
    },
  });
  return server;
}

/** Each pipeline has a plan of its own. */
class SeparatePlans implements PlanSource {
  readonly #told = new Map(names.map((name) => [keyOf(name), new ToldPlans(planWith('small', 2))]));
  readonly #listeners: ((key: string, news: PlanNews) => void)[] = [];
  #signals: PipelineSignals = {};

  planOf(key: string): Promise<PlanAnswer> {
    const told = this.#told.get(key);
    if (told === undefined) throw new Error(`no plan of ${key}`);
    return told.planOf();
  }

  signalsOf(): PipelineSignals {
    return this.#signals;
  }

  forget(): void {}

  onDecided(listener: (key: string, news: PlanNews) => void): void {
    this.#listeners.push(listener);
  }

  report(signals: PipelineSignals): void {
    this.#signals = signals;
    for (const key of this.#told.keys()) for (const listener of this.#listeners) listener(key, 'signals');
  }

  decide(key: string, plan: Plan): void {
    this.#told.get(key)?.decide(key, plan);
    for (const listener of this.#listeners) listener(key, 'plan');
  }
}

it('brings decisions to a busy server before the statuses of other pipelines', async () => {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const admin = new MemoryKubeApi(kube);
  const server = slowServer(new MemoryKubeApi(kube), clock);
  const { metadata: _, ...rest } = shelf();
  for (const name of names) {
    const pipeline = { ...rest, metadata: { name, namespace: 'n' } };
    written(await admin.create(pipelines, pipeline, { fieldManager: 'kubectl' }));
  }
  const source = new SeparatePlans();
  const failures: string[] = [];
  const abort = new AbortController();
  const running = new Operator({
    ...{ clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    api: boundedApi(server.api, new RequestSlots(SLOTS)),
    imagesOf: () => images,
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  }).run(abort.signal);
  await clock.advanceTo(20_000);
  cluster.stop();
  server.callMs = CALL_MS;
  source.report({ observed: { arrivalRps: 20, percentile: 99, sloAttainmentFraction: 0.5 } });
  await clock.advanceTo(20_010);
  for (const name of decided) source.decide(keyOf(name), planWith('small', 3));
  const replicas = (name: string) =>
    admin
      .get({ type: deployments, namespace: 'n', name: `${name}--detect--small` })
      .then((found) => found?.spec.replicas);
  await clock.advanceTo(20_010 + APPLIED_MS);
  expect(await Promise.all(decided.map(replicas))).toEqual(decided.map(() => 3));
  await clock.advanceTo(60_000);
  const missing = async (name: string): Promise<string | undefined> => {
    const pipeline = await admin.get({ type: pipelines, namespace: 'n', name });
    return pipeline?.status?.conditions?.find(({ type }) => type === 'SLOMet')?.reason;
  };
  expect(new Set(await Promise.all(names.map(missing)))).toEqual(new Set(['SloMissed']));
  expect(failures).toEqual([]);
  abort.abort();
  await running;
});
