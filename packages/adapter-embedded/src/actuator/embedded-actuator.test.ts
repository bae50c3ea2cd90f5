import { AppError, type Resources, SeededRng, type StagePlan, stageId, type TensorMap } from '@equipoise/core/model';
import { describeActuatorConformance, FakeLauncher, ManualClock, oneCore } from '@equipoise/testkit';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { preciseClock } from '../alarm-clock.js';
import { commandItem } from '../obeying-stage.test-support.js';
import { SyntheticReplicaLauncher } from '../synthetic-replica-launcher.js';
import { ThreadReplicaLauncher } from '../thread/thread-replica-launcher.js';
import {
  a,
  broken,
  closeOpened,
  fakeLauncher,
  large,
  open,
  pipeline,
  planOf,
  scaleTo,
  settled,
  small,
} from './actuator-bench.test-support.js';
import type { EmbeddedActuatorOptions } from './embedded-actuator.js';

const subjectOf = <Opened extends ReturnType<typeof open>>(fields: Opened) => ({
  ...fields,
  stageId: a,
  variantIds: [small, large] as const,
  unstartableVariantId: broken,
  onServingChanged: (listener: () => void) => fields.pool.onEvent(listener),
});

afterEach(closeOpened);

describeActuatorConformance(
  'EmbeddedActuator of fakes',
  () => subjectOf(open(fakeLauncher())),
  ({ launcher }) => (launcher as FakeLauncher).launches.at(-1)?.runner.lose(),
);

describeActuatorConformance('EmbeddedActuator of synthetic replicas', () => {
  const synthetic = new SyntheticReplicaLauncher({ serviceMs: () => 1, rng: new SeededRng(1) });
  const { failureOf } = fakeLauncher();
  return subjectOf(
    open({
      launch: async (request) => {
        const failure = failureOf(request);
        if (failure !== undefined) throw failure;
        return synthetic.launch(request);
      },
    }),
  );
});

it('reports steps and the verdict of a canary', async () => {
  const news: unknown[] = [];
  const clock = new ManualClock();
  const { actuator, pool } = open(fakeLauncher(), { clock, onCanary: (stage, of) => news.push([stage, of]) });
  await actuator.apply(scaleTo(planOf(small, 1)));
  actuator.setBounds({ ...pipeline, control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 } });
  const applied = expect(actuator.apply(scaleTo(planOf(large, 1)))).rejects.toMatchObject({ code: 'CANARY_FAILED' });
  await settled();
  expect(news).toEqual([[a, { variantId: large, state: 'step', fraction: 0.1 }]]);
  pool.counts = { before: { ended: 90, missed: 0 }, after: { ended: 10, missed: 10 } };
  await clock.advanceTo(1_000);
  const why = '10 of its 10 batches missed the SLO, 0 of 90 requests of the old variant';
  expect(news.slice(1)).toEqual([[a, { variantId: large, state: 'rolled-back', fraction: 0.1, why }]]);
  await applied;
});

describeActuatorConformance(
  'EmbeddedActuator of threads',
  () => subjectOf(open(new ThreadReplicaLauncher())),
  async ({ pool }) => {
    const [replica] = pool.serving(a);
    if (replica !== undefined) await expect(pool.run(a, replica.replicaId, [commandItem('exit')])).rejects.toThrow();
  },
);

describe('EmbeddedActuator', () => {
  it('adds, then sets the batching, then drains', async () => {
    const { actuator, pool } = open(fakeLauncher());
    await actuator.apply(scaleTo(planOf(small, 1)));
    pool.events.length = 0;
    await actuator.apply(scaleTo(planOf(large, 2, { maxBatchSize: 8 })));
    expect(pool.events.map(({ kind }) => kind)).toEqual(['added', 'added', 'batching', 'draining', 'drained']);
  });

  it('tells what serves before it drains, and tells nothing of a change that failed', async () => {
    const seen: unknown[] = [];
    const { actuator, pool, statuses } = open(fakeLauncher(), {
      adopt: (stage, { variantId: variant, maxBatchSize }) => {
        seen.push([stage, variant, maxBatchSize, statuses(), pool.events.at(-1)?.kind]);
      },
    });
    await actuator.apply(scaleTo(planOf(small, 1)));
    await expect(actuator.apply(scaleTo(planOf(broken, 1)))).rejects.toThrow('it cannot start');
    await actuator.apply(scaleTo(planOf(large, 1, { maxBatchSize: 8 })));
    await actuator.apply({ kind: 'set-batch', stageId: a, to: planOf(large, 1, { maxBatchSize: 4 }) });
    expect(seen).toEqual([
      [a, small, 1, ['ready'], 'added'],
      [a, large, 8, ['ready', 'ready'], 'added'],
      [a, large, 4, ['ready'], 'drained'],
    ]);
  });

  it('serves with each new replica of a growing stage as soon as it is ready', async () => {
    const { actuator, launcher, statuses } = open(fakeLauncher(), { startConcurrency: 1 });
    await actuator.apply(scaleTo(planOf(small, 1)));
    let launches = 0;
    const seen: (readonly string[] | undefined)[] = [];
    launcher.failureOf = () => {
      seen.push(statuses());
      launches += 1;
      return launches === 2 ? new AppError('MODEL_LOAD_FAILED', 'no memory') : undefined;
    };
    await expect(actuator.apply(scaleTo(planOf(small, 3)))).rejects.toThrow('no memory');
    expect(seen).toEqual([
      ['ready', 'starting'],
      ['ready', 'ready', 'starting'],
    ]);
    expect(statuses()).toEqual(['ready', 'ready']);
  });

  it('closes what has started when a start of a switch fails', async () => {
    const { actuator, launcher, statuses } = open(fakeLauncher(), { startConcurrency: 1 });
    await actuator.apply(scaleTo(planOf(small, 1)));
    let launches = 0;
    launcher.failureOf = () => (++launches === 3 ? new AppError('MODEL_LOAD_FAILED', 'no memory') : undefined);
    await expect(actuator.apply(scaleTo(planOf(large, 4)))).rejects.toThrow('no memory');
    expect(launches).toBe(3);
    expect(launcher.launches.map(({ runner }) => runner.closed)).toEqual([false, true, true]);
    expect(statuses()).toEqual(['ready']);
  });

  it('starts few replicas at once, and of one stage at a time', async () => {
    const { actuator, launcher, statuses } = open(fakeLauncher());
    launcher.hold();
    const changes = [
      actuator.apply(scaleTo(planOf(small, 3))),
      actuator.apply(scaleTo(planOf(small, 1), stageId('b'))),
    ];
    await settled();
    expect([statuses(), statuses(stageId('b'))]).toEqual([['starting', 'starting'], []]);
    launcher.release();
    await Promise.all(changes);
    expect(launcher.mostAtOnce).toBe(2);
    expect(statuses(stageId('b'))).toEqual(['ready']);
  });

  it('warms a replica up before it serves', async () => {
    const batch: readonly TensorMap[] = [commandItem('')];
    const { actuator, launcher } = open(fakeLauncher(), { warmUpBatch: (stage) => (stage === a ? batch : undefined) });
    await actuator.apply(scaleTo(planOf(small, 1)));
    await actuator.apply(scaleTo(planOf(small, 1), stageId('b')));
    expect(launcher.launches.map(({ runner }) => runner.batches)).toEqual([[batch], []]);
  });

  it('takes a failed warm-up for a failed start', async () => {
    const launcher = new FakeLauncher((batch) =>
      batch.map(() => ({ kind: 'failed', error: new AppError('STAGE_FAILED', 'bad weights') })),
    );
    const { actuator, statuses } = open(launcher, { warmUpBatch: () => [commandItem('')] });
    await expect(actuator.apply(scaleTo(planOf(small, 1)))).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: 'The warm-up run failed: bad weights',
    });
    expect(statuses()).toEqual([]);
    expect(launcher.launches[0]?.runner.closed).toBe(true);
  });

  it('serves with a replica whose warm-up input is refused as invalid', async () => {
    const launcher = new FakeLauncher((batch) =>
      batch.map(() => ({ kind: 'failed', error: new AppError('INVALID_INPUT', 'no picture') })),
    );
    const { actuator, statuses } = open(launcher, { warmUpBatch: () => [commandItem('')] });
    await actuator.apply(scaleTo(planOf(small, 1)));
    expect(statuses()).toEqual(['ready']);
  });

  it('waits for the running batch of a replica that it drains', async () => {
    const { actuator, pool, launcher, statuses } = open(fakeLauncher());
    await actuator.apply(scaleTo(planOf(small, 1)));
    const runner = launcher.launches[0]?.runner;
    runner?.hold();
    const running = pool.run(a, pool.serving(a)[0]?.replicaId ?? ('' as never), [commandItem('')]);
    const scaled = actuator.apply(scaleTo(planOf(small, 0)));
    await settled();
    expect([statuses(), runner?.closed]).toEqual([['draining'], false]);
    runner?.release();
    await scaled;
    expect((await running).items).toHaveLength(1);
    expect([statuses(), runner?.closed]).toEqual([[], true]);
  });

  it('goes on after 30 s with a replica that does not drain, which stays in sight', async () => {
    const clock = new ManualClock();
    const { actuator, pool, launcher, statuses } = open(fakeLauncher(), { clock });
    await actuator.apply(scaleTo(planOf(small, 1)));
    const runner = launcher.launches[0]?.runner;
    runner?.hold();
    void pool.run(a, pool.serving(a)[0]?.replicaId ?? ('' as never), [commandItem('')]);
    let done = 0;
    const change = scaleTo(planOf(large, 1));
    void actuator.apply(change).then(() => done++);
    await clock.advanceTo(29_999);
    expect(done).toBe(0);
    await clock.advanceTo(30_000);
    await actuator.apply(change);
    expect([done, statuses()]).toEqual([1, ['draining', 'ready']]);
    runner?.release();
    await settled();
    expect(statuses()).toEqual(['ready']);
  });

  it('refuses changes that wait while it closes', async () => {
    const { actuator, launcher, statuses } = open(fakeLauncher());
    launcher.hold();
    const first = actuator.apply(scaleTo(planOf(small, 1)));
    const second = actuator.apply(scaleTo(planOf(small, 2)));
    await settled();
    const closing = actuator.close();
    launcher.release();
    await first;
    await expect(second).rejects.toThrow('its replicas are being closed');
    await closing;
    expect(statuses()).toEqual([]);
  });
});

describe('EmbeddedActuator under random changes', () => {
  const resources = fc.constantFrom<Resources>(oneCore, { ...oneCore, cpuCores: 2 });
  const anyPlan = (mostReplicas: number) =>
    fc
      .record({
        variant: fc.constantFrom(small, small, large, large, broken),
        replicas: fc.integer({ min: 1, max: mostReplicas }),
        over: fc.record({ resources, maxBatchSize: fc.constantFrom(1, 4) }),
      })
      .map(({ variant, replicas, over }) => planOf(variant, replicas, over));

  /** Applies the plans one after another; capacity is the number of replicas in service. */
  async function keepsCapacity(launcher: EmbeddedActuatorOptions['launcher'], plans: readonly StagePlan[]) {
    const { actuator, pool } = open(launcher, { clock: preciseClock });
    let least = 0;
    pool.onEvent(() => {
      least = Math.min(least, pool.serving(a).length);
    });
    for (const to of plans) {
      const before = pool.serving(a);
      least = before.length;
      const failed = await actuator.apply(scaleTo(to)).then(
        () => false,
        () => true,
      );
      expect(least).toBeGreaterThanOrEqual(Math.min(before.length, failed ? before.length : to.replicas));
      const serving = pool.serving(a);
      expect(failed).toBe(to.variantId === broken);
      if (failed) expect(serving).toEqual(before);
      else
        expect(serving.map(({ variantId: id, resources: on }) => [id, on])).toEqual(
          Array(to.replicas).fill([to.variantId, to.resources]),
        );
      expect(actuator.runningPlan().stages[a]?.replicas).toHaveLength(serving.length);
    }
    await actuator.close();
    expect(pool.serving(a)).toEqual([]);
  }

  it('never serves with less than the smaller of old and new (200 changes of fakes)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPlan(6), { minLength: 10, maxLength: 10 }), (plans) =>
        keepsCapacity(fakeLauncher(), plans),
      ),
      { seed: 17, numRuns: 20 },
    );
  });

  it('never serves with less than the smaller of old and new (20 changes of threads)', async () => {
    const plans = fc.sample(anyPlan(2), { seed: 23, numRuns: 20 });
    await keepsCapacity(new ThreadReplicaLauncher(), plans);
  });
});
