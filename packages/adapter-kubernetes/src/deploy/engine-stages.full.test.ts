import { afterEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import { engineTypes } from '../cluster/observed-objects.js';
import { replicasOf } from '../reconcile/engine-objects.js';
import {
  fraction,
  KEY,
  LARGE,
  NEXT,
  type RigOptions,
  ROUTER,
  SMALL,
  type StageEngineName,
  side,
  start,
  well,
} from '../test-cluster/memory/canary-rig.test-support.js';
import { planWith } from '../test-cluster/memory/pipeline-fixture.test-support.js';

const engines: readonly StageEngineName[] = ['kserve', 'seldon-v1', 'seldon-v2'];
const kindOf = { kserve: 'InferenceService', 'seldon-v1': 'SeldonDeployment', 'seldon-v2': 'Model' } as const;

let rig: Awaited<ReturnType<typeof start>>;

afterEach(async () => {
  await rig.stop();
  expect(rig.failures).toEqual([]);
});

async function objects(kind: string): Promise<readonly KubeObject[]> {
  const type = engineTypes.find((each) => each.kind === kind);
  const page = type && (await rig.admin.list({ type }));
  return page?.kind === 'page' ? page.objects : [];
}

const names = async (kind: string) => (await objects(kind)).map(({ metadata }) => metadata.name).toSorted();
const replicas = async (kind: string, name: string | undefined) => {
  const found = (await objects(kind)).find(({ metadata }) => metadata.name === name);
  return found === undefined ? 0 : replicasOf(found);
};
const isReady = async (): Promise<boolean> => (await rig.condition('Ready'))?.status === 'True';

async function serving(options: RigOptions): Promise<void> {
  rig = await start(options);
  await rig.until(isReady);
}

describe.each(engines)('a pipeline whose stages %s runs', (engine) => {
  const kind = kindOf[engine];

  it('starts behind our router, and its status counts replicas', async () => {
    await serving({ engine });
    expect(await names(kind)).toEqual(['shelf--classify--only', SMALL]);
    expect((await rig.find(ROUTER ?? ''))?.status?.readyReplicas).toBe(1);
    expect(await rig.find(SMALL ?? '')).toBeUndefined();
    expect(await rig.status()).toMatchObject({ replicas: { desired: 3, ready: 3 } });
    expect((await rig.condition('Degraded'))?.reason).toBe('AsPlanned');
  });

  it('follows the load up and down', async () => {
    await serving({ engine });
    for (const count of [4, 1]) {
      rig.source.decide(KEY, planWith('small', count));
      await rig.until(async () => {
        const { desired, ready } = (await rig.status())?.replicas ?? {};
        return (
          (await replicas(kind, SMALL)) === count && desired === count + 1 && ready === desired && (await isReady())
        );
      });
    }
  });

  it('gives a new variant its requests in steps, then removes the old one', async () => {
    await serving({ engine });
    const steps: (number | undefined)[] = [];
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => {
      const now = await fraction(rig)();
      if (now !== steps.at(-1)) steps.push(now);
      return (await isReady()) && !(await names(kind)).includes(SMALL ?? '');
    }, 300_000);
    expect(steps.filter((each) => each !== undefined && each > 0)).toEqual([0.1, 0.5]);
    expect(await names(kind)).toEqual(['shelf--classify--only', LARGE]);
    expect(await rig.find(NEXT ?? '')).toBeUndefined();
  });

  it('rolls a new variant back that misses the SLO', async () => {
    await serving({ engine });
    rig.source.decide(KEY, planWith('large', 2));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const { situation } = rig.source;
    rig.source.situation = () => ({ ...situation(), sides: { ...well, after: side(200, 500) } });
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    expect((await rig.status())?.rollback).toMatchObject({ workloads: [LARGE], fraction: 0.1 });
    await rig.until(async () => !(await names(kind)).includes(LARGE ?? ''));
    expect(await replicas(kind, SMALL)).toBe(2);
    expect((await rig.condition('Degraded'))?.reason).toBe('RolledBack');
  });

  it.each(engine === 'seldon-v2' ? (['schedule-failed', 'model-failed'] as const) : (['deadline-exceeded'] as const))(
    'keeps the old variant while the new one does not start: %s',
    async (course) => {
      await serving({ engine });
      rig.engines.courses.set(LARGE ?? '', course);
      rig.source.decide(KEY, planWith('large', 2));
      await rig.until(async () => (await rig.condition('Degraded'))?.status === 'True');
      const words = {
        'schedule-failed': /ScheduleFailed/,
        'model-failed': /ModelFailed: load failed/,
        'deadline-exceeded': engine === 'kserve' ? /ProgressDeadlineExceeded/ : /no longer progressing/,
      };
      expect((await rig.condition('Degraded'))?.message).toMatch(words[course]);
      expect(await replicas(kind, SMALL)).toBe(2);
      expect((await rig.find(ROUTER ?? ''))?.metadata.annotations?.['equipoise.dev/routes-to']).toContain(SMALL);
      rig.engines.courses.clear();
      rig.source.decide(KEY, planWith('small', 2));
      await rig.until(async () => (await isReady()) && !(await names(kind)).includes(LARGE ?? ''), 300_000);
    },
  );
});

it('a Server grows before its Model, and the Model shrinks first', async () => {
  await serving({ engine: 'seldon-v2' });
  const seen: string[] = [];
  const follow = async (count: number): Promise<void> => {
    rig.source.decide(KEY, planWith('small', count));
    await rig.until(async () => {
      const now = `${await replicas('Server', SMALL)}/${await replicas('Model', SMALL)}`;
      if (now !== seen.at(-1)) seen.push(now);
      return now === `${count}/${count}` && (await isReady());
    });
  };
  await follow(4);
  await follow(1);
  expect(seen).toEqual(['2/2', '4/2', '4/4', '4/1', '1/1']);
});
