import { type PipelineSpec, type Plan, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { MemoryKube, STARTED_EPOCH_MS } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { childTypes, engineTypes, pipelines } from '../cluster/observed-objects.js';
import type { Sides } from '../observe/side-counts.js';
import type { PipelineSignals, PlanAnswer, PlanNews, PlanSource } from '../plan/planning.js';
import { graphShare } from '../reconcile/graph-objects.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';
import { EngineControllers } from '../test-cluster/memory/engine-controllers.test-support.js';
import { clusterResources } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  planWith,
  servedShelf,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const KEY = 'n/shelf';
const [SMALL, LARGE] = ['shelf--detect--small', 'shelf--detect--large'];
const side = (missed: number, ended: number) => ({ ended, missed });
const well = { before: side(0, 500), after: side(0, 500), passedOn: 500 };
const observed = { arrivalRps: 50, percentile: 99, sloAttainmentFraction: 1 };

const targets = ['kserve:theirs', 'seldon-v2:theirs'] as const;
type Target = (typeof targets)[number] | 'seldon-v1:theirs';

interface Settings {
  readonly canary?: boolean;
  readonly budgetCpuCores?: number;
}

interface Stage {
  readonly name: string;
  readonly variants: readonly { readonly name: string }[];
}

/** The pipeline, with a third variant of the first stage. */
function pipelineFor(target: Target, { canary = true, budgetCpuCores = 16 }: Settings) {
  const annotations = { 'equipoise.dev/target': target };
  const { metadata, spec, ...rest } = (target === 'seldon-v2:theirs' ? servedShelf : shelf)({ budgetCpuCores });
  const { control, stages, ...others } = spec as { readonly control: object; readonly stages: readonly Stage[] };
  const withThird = stages.map((stage) => {
    const large = stage.variants.find(({ name }) => name === 'large');
    return large === undefined ? stage : { ...stage, variants: [...stage.variants, { ...large, name: 'middle' }] };
  });
  return {
    ...rest,
    metadata: { name: metadata.name, namespace: 'n', annotations },
    spec: { ...others, stages: withThird, control: { ...control, canary } },
  };
}

/** Source whose outcomes begin again when the share of a canary changes, as those of the series do. */
class SteppedPlans implements PlanSource {
  readonly told = new ToldPlans(planWith('small', 2));
  sides: Omit<Sides, 'observedMs'> = well;
  readonly #nowMs: () => number;
  #share = 0;
  #sinceMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  planOf(_key: string, _spec: PipelineSpec, { children }: ObservedPipeline): Promise<PlanAnswer> {
    const share = graphShare(children);
    if (share !== this.#share) this.#sinceMs = this.#nowMs();
    this.#share = share;
    return this.told.planOf();
  }

  signalsOf(): PipelineSignals {
    return { observed, sides: { ...this.sides, observedMs: this.#nowMs() - this.#sinceMs } };
  }

  forget(): void {}

  onDecided(listener: (key: string, news: PlanNews) => void): void {
    this.told.onDecided(listener);
  }

  decide(key: string, plan: Plan): void {
    this.told.decide(key, plan);
  }
}

interface Rig {
  readonly source: SteppedPlans;
  readonly engines: EngineControllers;
  readonly failures: string[];
  readonly seconds: (count: number) => Promise<void>;
  readonly until: (holds: () => Promise<boolean>, longestS?: number) => Promise<void>;
  readonly objects: (kind: string) => Promise<readonly KubeObject[]>;
  readonly names: (kind: string) => Promise<readonly string[]>;
  readonly status: () => Promise<import('../crd/status-schema.js').InferencePipelineStatus | undefined>;
  readonly condition: (type: string) => Promise<string>;
  readonly admin: MemoryKubeApi;
  readonly pipeline: () => Promise<KubeObject | undefined>;
  readonly stop: () => Promise<void>;
}

let rig: Rig;

async function start(target: Target, settings: Settings = {}): Promise<Rig> {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [...clusterResources, ...engineTypes.map((type) => ({ type, hasStatus: true }))]);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const engines = new EngineControllers(new MemoryKubeApi(kube), clock);
  const source = new SteppedPlans(() => clock.nowMs());
  const failures: string[] = [];
  written(await admin.create(pipelines, pipelineFor(target, settings), { fieldManager: 'kubectl' }));
  const abort = new AbortController();
  const operator = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => STARTED_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  });
  const running = operator.run(abort.signal);
  const status = async () => (await admin.get({ type: pipelines, namespace: 'n', name: 'shelf' }))?.status;
  const seconds = async (count: number): Promise<void> => {
    for (let second = 0; second < count; second++) {
      await clock.advanceTo(clock.nowMs() + 1_000);
      await engines.play();
    }
  };
  const objects = async (kind: string) => (await engines.objects()).filter((object) => object.kind === kind);
  rig = {
    ...{ source, engines, failures, seconds, objects, status, admin },
    pipeline: () => admin.get({ type: pipelines, namespace: 'n', name: 'shelf' }),
    names: async (kind) => (await objects(kind)).map(({ metadata }) => metadata.name).toSorted(),
    until: async (holds, longestS = 300) => {
      for (let second = 0; !(await holds()); second++) {
        if (second >= longestS) throw new Error(`it does not come: ${JSON.stringify(await status())}`);
        await seconds(1);
      }
    },
    condition: async (type) => {
      const found = (await status())?.conditions?.find((each) => each.type === type);
      return `${found?.status} ${found?.reason}: ${found?.message}`;
    },
    stop: async () => {
      abort.abort();
      await running;
    },
  };
  await rig.until(async () => (await rig.condition('Ready')).startsWith('True AllReady'));
  return rig;
}

afterEach(async () => {
  await rig.stop();
  expect(rig.failures).toEqual([]);
});

const workloadKind = { 'kserve:theirs': 'InferenceService', 'seldon-v2:theirs': 'Model' } as const;
const graphKind = { 'kserve:theirs': 'InferenceGraph', 'seldon-v2:theirs': 'Pipeline' } as const;

const replicasOf = (object: KubeObject | undefined): number => {
  const { spec } = object as unknown as { spec: { replicas?: number; predictor?: { minReplicas: number } } };
  return spec.predictor?.minReplicas ?? spec.replicas ?? 0;
};

describe.each(targets)('a pipeline of %s', (target) => {
  const [kind, graph] = [workloadKind[target], graphKind[target]];
  const replicas = async (name: string) =>
    replicasOf((await rig.objects(kind)).find(({ metadata }) => metadata.name === name));
  const share = async () => (await rig.status())?.shift?.fraction;

  it('starts, and its status counts replicas', async () => {
    await start(target);
    expect(await rig.names(kind)).toEqual(['shelf--classify--only', SMALL]);
    expect(await rig.names(graph)).toEqual(['shelf']);
    expect(await rig.status()).toMatchObject({ replicas: { desired: 3, ready: 3 }, mode: 'auto' });
    expect(await rig.condition('Degraded')).toMatch(/^False AsPlanned/);
  });

  it('follows the load up and down', async () => {
    await start(target);
    for (const count of [5, 1]) {
      rig.source.decide(KEY, planWith('small', count));
      await rig.until(async () => (await replicas(SMALL)) === count);
      await rig.until(async () => {
        const { desired, ready } = (await rig.status())?.replicas ?? {};
        return desired === count + 1 && ready === count + 1 && (await rig.condition('Ready')).startsWith('True');
      });
    }
    expect(await rig.names(graph)).toEqual(['shelf']);
  });

  it('gives a new variant its requests in steps, then removes the old one', async () => {
    await start(target);
    const steps: (number | undefined)[] = [];
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => {
      const now = await share();
      if (now !== steps.at(-1)) steps.push(now);
      const [serving] = (await rig.objects(graph)).filter(({ metadata }) => metadata.name === 'shelf');
      return JSON.stringify(serving).includes(LARGE ?? '') && (await rig.condition('Ready')).startsWith('True');
    });
    expect(steps.filter((each) => each !== undefined)).toEqual([0, 0.1, 0.5]);
    expect(JSON.stringify(await rig.objects(graph))).toContain(LARGE);
    // The previous variant keeps the requests that it has for a minute.
    expect(await rig.names(kind)).toContain(SMALL);
    await rig.until(async () => !(await rig.names(kind)).includes(SMALL ?? ''), 90);
    expect([await rig.names(graph), await rig.names('Experiment')]).toEqual([['shelf'], []]);
  });

  it('rolls a new variant back that misses the SLO, and keeps the old one', async () => {
    await start(target);
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await share()) === 0.1);
    rig.source.sides = { ...well, after: side(200, 500) };
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    expect((await rig.status())?.rollback).toMatchObject({ workloads: [LARGE], fraction: 0.1 });
    await rig.until(async () => !(await rig.names(kind)).includes(LARGE ?? ''));
    expect([await rig.names(graph), await rig.names('Experiment')]).toEqual([['shelf'], []]);
    expect(await share()).toBeUndefined();
    expect(JSON.stringify(await rig.objects(graph))).not.toContain(LARGE);
    expect(await rig.condition('Degraded')).toMatch(/^True RolledBack: shelf--detect--large was rolled back at 10 %/);
    expect(await replicas(SMALL ?? '')).toBe(2);
  });

  it('rolls a new variant back whose graph is not ready any more', async () => {
    await start(target);
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await share()) === 0.1);
    rig.engines.courses.set('shelf--next', 'never');
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    expect((await rig.status())?.rollback?.message).toContain('at 10 % of the requests: its graph is not ready');
    await rig.until(async () => !(await rig.names(kind)).includes(LARGE ?? ''));
  });

  it('gives no variant a share by the outcomes of another, and removes that one if there is no room', async () => {
    await start(target, { budgetCpuCores: 5 });
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      const all = await rig.engines.objects();
      const next = JSON.stringify(
        all.find((each) => each.kind === graph && each.metadata.name === 'shelf--next') ?? '',
      );
      const tried = ['large', 'middle'].filter((name) => next.includes(`shelf--detect--${name}`)).join();
      const now = `${graphShare(all)} ${tried}`;
      if (now !== seen.at(-1)) seen.push(now);
    };
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => {
      await look();
      return (await share()) === 0.1;
    });
    rig.source.decide(KEY, planWith('middle', 2));
    await rig.until(async () => {
      await look();
      const [serving] = (await rig.objects(graph)).filter(({ metadata }) => metadata.name === 'shelf');
      return JSON.stringify(serving).includes('shelf--detect--middle') && (await share()) === undefined;
    });
    expect(seen[seen.indexOf('0.1 large') + 1]).toMatch(/^0 /);
    expect(seen).toEqual(expect.arrayContaining(['0.1 middle', '0.5 middle']));
    expect(await rig.names(kind)).not.toContain(LARGE);
  });

  it.each(
    target === 'kserve:theirs' ? (['deadline-exceeded'] as const) : (['schedule-failed', 'model-failed'] as const),
  )('takes a new variant back that does not start: %s', async (course) => {
    await start(target);
    rig.engines.courses.set(LARGE ?? '', course);
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    const reason = {
      'deadline-exceeded': 'ProgressDeadlineExceeded',
      'schedule-failed': 'ScheduleFailed',
      'model-failed': 'ModelFailed',
    }[course];
    expect((await rig.status())?.rollback?.message).toContain(`before it got a request: ${kind} ${LARGE}: ${reason}`);
    await rig.until(async () => !(await rig.names(kind)).includes(LARGE ?? ''));
    expect(JSON.stringify(await rig.objects(graph))).toContain(SMALL);
    expect(await replicas(SMALL ?? '')).toBe(2);
  });

  it('switches at once where canaries are off', async () => {
    await start(target, { canary: false });
    rig.source.decide(KEY, planWith('large', 1));
    await rig.until(async () => JSON.stringify(await rig.objects(graph)).includes(LARGE ?? ''));
    expect(await rig.names('Experiment')).toEqual([]);
    await rig.until(async () => (await rig.condition('Ready')).startsWith('True'));
  });
});

describe('a pipeline of seldon-v1:theirs', () => {
  const graph = async () => (await rig.objects('SeldonDeployment'))[0];
  const components = async (): Promise<readonly (readonly [name: string, replicas: number])[]> => {
    const { spec } = (await graph()) as unknown as {
      spec: {
        predictors: { componentSpecs: { replicas: number; metadata: { labels: Record<string, string> } }[] }[];
      };
    };
    return spec.predictors.flatMap(({ componentSpecs }) =>
      componentSpecs.map(
        ({ replicas, metadata: { labels } }) => [labels['equipoise.dev/variant'] ?? '', replicas] as const,
      ),
    );
  };
  const isReady = async () => (await rig.condition('Ready')).startsWith('True AllReady');
  const budgets = async () => {
    const page = await rig.admin.list({ type: childTypes['PodDisruptionBudget'] as ResourceType });
    return page.kind === 'page' ? page.objects.map(({ metadata }) => metadata.name).toSorted() : [];
  };

  it('starts, counts replicas and follows the load', async () => {
    await start('seldon-v1:theirs');
    expect(await rig.names('SeldonDeployment')).toEqual(['shelf']);
    expect(await rig.status()).toMatchObject({ replicas: { desired: 3, ready: 3 }, mode: 'auto' });
    expect(await rig.condition('Degraded')).toMatch(/^False AsPlanned/);
    for (const count of [5, 1]) {
      rig.source.decide(KEY, planWith('small', count));
      await rig.until(async () =>
        (await components()).some(([name, replicas]) => name === 'small' && replicas === count),
      );
      await rig.until(async () => (await rig.status())?.replicas?.ready === count + 1 && (await isReady()));
    }
  });

  it('switches a variant at once, and keeps objects of the old one for a minute', async () => {
    await start('seldon-v1:theirs');
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await components()).some(([name]) => name === 'large'));
    expect((await rig.status())?.shift).toBeUndefined();
    await rig.until(isReady);
    expect(await budgets()).toEqual(['shelf--classify--only', LARGE, SMALL]);
    await rig.seconds(70);
    expect(await budgets()).toEqual(['shelf--classify--only', LARGE]);
    expect(await isReady()).toBe(true);
  });

  it('rolls a variant back that does not start, and takes the plan before', async () => {
    await start('seldon-v1:theirs');
    rig.engines.courses.set('shelf', 'deadline-exceeded');
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    expect((await rig.status())?.rollback).toMatchObject({
      workloads: [LARGE],
      fraction: 0,
      message: `${LARGE} was rolled back: Deployment is no longer progressing and not available.`,
    });
    await rig.until(async () => (await rig.condition('Ready')).startsWith('False RolledBack'));
    // The loop takes the plan before.
    rig.engines.courses.delete('shelf');
    rig.source.decide(KEY, planWith('small', 2));
    await rig.until(isReady);
    expect((await components()).map(([name]) => name)).toContain('small');
    expect(await rig.condition('Degraded')).toMatch(/^True RolledBack/);
  });

  it('takes no later failure for one of the last change', async () => {
    await start('seldon-v1:theirs');
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await components()).some(([name]) => name === 'large') && (await isReady()));
    await rig.seconds(30);
    rig.engines.courses.set('shelf', 'deadline-exceeded');
    await rig.seconds(90);
    expect((await rig.status())?.rollback).toBeUndefined();
    expect(await rig.condition('Ready')).toMatch(/^False/);
  });
});

it('a Server grows before its Model, and the Model shrinks first', async () => {
  await start('seldon-v2:theirs');
  const counts = async () => {
    const at = async (kind: string) =>
      replicasOf((await rig.objects(kind)).find(({ metadata }) => metadata.name === SMALL));
    return [await at('Server'), await at('Model')] as const;
  };
  const seen: string[] = [];
  const follow = async (plan: Plan, end: string) => {
    rig.source.decide(KEY, plan);
    await rig.until(async () => {
      const now = (await counts()).join('/');
      if (now !== seen.at(-1)) seen.push(now);
      return now === end;
    });
    await rig.seconds(5);
  };
  await follow(planWith('small', 4), '4/4');
  await follow(planWith('small', 1), '1/1');
  expect(seen).toEqual(['2/2', '4/2', '4/4', '4/1', '1/1']);
});

it.each([
  ['an unknown target', 'kserv', /there is no such target/],
  ['what the engine cannot run', 'seldon-v2:theirs', /Seldon Core 2 runs only models on MLServer/],
])('does not accept %s', async (_, target, words) => {
  await start('kserve:theirs');
  const found = (await rig.pipeline()) as KubeObject;
  const annotations = { 'equipoise.dev/target': target };
  written(
    await rig.admin.replace(pipelines, { ...found, metadata: { ...found.metadata, annotations } } as never, {
      fieldManager: 'kubectl',
    }),
  );
  await rig.until(async () => (await rig.condition('Accepted')).startsWith('False'));
  expect(await rig.condition('Accepted')).toMatch(words);
  // The objects that serve are kept.
  expect(await rig.names('InferenceGraph')).toEqual(['shelf']);
});
