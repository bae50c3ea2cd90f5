import {
  AppError,
  type Change,
  type Resources,
  SeededRng,
  type StagePlan,
  stageId,
  type TensorMap,
  type VariantId,
  variantId,
} from '@equipoise/core';
import {
  describeActuatorConformance,
  FakeLauncher,
  FakePool,
  ManualClock,
  oneCore,
  stageNamed,
  variantNamed,
} from '@equipoise/testkit';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { preciseClock } from '../alarm-clock.js';
import { commandItem, fixtures } from '../obeying-stage.test-support.js';
import { SyntheticReplicaLauncher } from '../synthetic-replica-launcher.js';
import { ThreadReplicaLauncher } from '../thread/thread-replica-launcher.js';
import { EmbeddedActuator, type EmbeddedActuatorOptions } from './embedded-actuator.js';

const a = stageId('a');
const small = variantId('small');
const large = variantId('large');
const broken = variantId('broken');

const variants = [
  variantNamed('small'),
  variantNamed('large'),
  variantNamed('broken', { parameters: { failToLoad: true } }),
];
const pipeline = {
  baseDir: fixtures,
  stages: [stageNamed('a', variants, { module: './obey.mjs' }), stageNamed('b', variants, { module: './obey.mjs' })],
  budget: {},
  control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
} as const;

const planOf = (variant: VariantId, replicas: number, over: Partial<StagePlan> = {}): StagePlan => ({
  variantId: variant,
  resources: oneCore,
  maxBatchSize: 1,
  maxBatchWaitMs: 0,
  replicas,
  trafficFraction: 1,
  ...over,
});
const scaleTo = (to: StagePlan, stage = a): Change => ({ kind: 'scale', stageId: stage, fromReplicas: 0, to });

function fakeLauncher(): FakeLauncher {
  const launcher = new FakeLauncher();
  launcher.failureOf = ({ variant }) =>
    variant.id === broken ? new AppError('MODEL_LOAD_FAILED', 'it cannot start') : undefined;
  return launcher;
}

const opened: EmbeddedActuator[] = [];

function open<Launcher extends EmbeddedActuatorOptions['launcher']>(
  launcher: Launcher,
  over: Partial<EmbeddedActuatorOptions> = {},
) {
  const pool = new FakePool();
  const actuator = new EmbeddedActuator(pipeline, { pool, launcher, ...over });
  opened.push(actuator);
  const statuses = (stage = a) => actuator.runningPlan().stages[stage]?.replicas.map(({ status }) => status);
  return { pool, actuator, launcher, statuses };
}

const subjectOf = <Opened extends ReturnType<typeof open>>(fields: Opened) => ({
  ...fields,
  stageId: a,
  variantIds: [small, large] as const,
  unstartableVariantId: broken,
  onServingChanged: (listener: () => void) => fields.pool.onEvent(listener),
});

/** Lets everything that waits for a promise go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

afterEach(async () => {
  await Promise.all(opened.splice(0).map((actuator) => actuator.close()));
});

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

describe('EmbeddedActuator after a loss', () => {
  async function openWith(replicas: number) {
    const clock = new ManualClock();
    const failures: string[] = [];
    const fields = open(fakeLauncher(), { clock, onFailure: (_, error) => failures.push(String(error)) });
    await fields.actuator.apply(scaleTo(planOf(small, replicas)));
    const lose = async (index: number): Promise<void> => {
      fields.launcher.launches[index]?.runner.lose();
      await settled();
    };
    return { ...fields, clock, failures, lose };
  }

  it('replaces it after 0.1 s and shows how far it is', async () => {
    const { clock, launcher, statuses, lose } = await openWith(2);
    await lose(0);
    expect(statuses()).toEqual(['ready', 'failed']);
    await clock.advanceTo(99);
    expect(launcher.launches).toHaveLength(2);
    launcher.hold();
    await clock.advanceTo(100);
    expect(statuses()).toEqual(['ready', 'starting']);
    launcher.release();
    await settled();
    expect(statuses()).toEqual(['ready', 'ready']);
  });

  it.each([
    ['hung', 'a batch does not end', 1],
    ['slow', 'it stays slower than its profile and its peers', 0],
  ] as const)(
    'replaces one that is %s: it is closed, given up first if it hangs, and told of',
    async (trouble, why, givenUp) => {
      const { clock, launcher, pool, failures, statuses } = await openWith(2);
      const [unfit] = pool.serving(a);
      let abandoned = 0;
      Object.assign(launcher.launches[0]?.runner ?? {}, { abandon: () => abandoned++ });
      if (unfit !== undefined) pool.dismiss(unfit.replicaId, trouble);
      await settled();
      expect([statuses(), abandoned]).toEqual([['ready', 'failed'], givenUp]);
      expect(failures).toEqual([`AppError: Replica '${unfit?.replicaId}' of stage 'a' is replaced: ${why}.`]);
      await clock.advanceTo(100);
      await settled();
      expect(statuses()).toEqual(['ready', 'ready']);
      await expect(unfit?.runner.run([{}])).rejects.toThrow();
    },
  );

  it('waits twice as long each time the replacement is lost too', async () => {
    const { clock, launcher, lose } = await openWith(1);
    const restartedAtMs: number[] = [];
    for (let loss = 0; loss < 4; loss++) {
      await lose(loss);
      while (launcher.launches.length < loss + 2) await clock.advanceTo(clock.nowMs() + 50);
      restartedAtMs.push(clock.nowMs());
    }
    expect(restartedAtMs).toEqual([100, 300, 700, 1_500]);
  });

  it('tries again when the replacement does not start, and tells', async () => {
    const { clock, launcher, statuses, failures, lose } = await openWith(1);
    const { failureOf } = launcher;
    launcher.failureOf = () => new AppError('MODEL_LOAD_FAILED', 'no memory');
    await lose(0);
    await clock.advanceTo(350);
    expect(failures).toEqual(['AppError: no memory', 'AppError: no memory']);
    expect(statuses()).toEqual(['failed']);
    launcher.failureOf = failureOf;
    await clock.advanceTo(1_000);
    expect(statuses()).toEqual(['ready']);
  });

  it('replaces no more than the target: a change in between decides', async () => {
    const { actuator, clock, launcher, statuses, lose } = await openWith(3);
    await Promise.all([lose(0), lose(1)]);
    expect(statuses()).toEqual(['ready', 'failed', 'failed']);
    await actuator.apply(scaleTo(planOf(small, 1)));
    expect(clock.pendingAlarms).toBe(0);
    await clock.advanceTo(10_000);
    expect([statuses(), launcher.launches.length]).toEqual([['ready'], 3]);
  });

  it('leaves a change that failed to the old target', async () => {
    const { actuator, clock, statuses, lose } = await openWith(2);
    await lose(0);
    await expect(actuator.apply(scaleTo(planOf(broken, 2)))).rejects.toThrow('it cannot start');
    expect(statuses()).toEqual(['ready', 'failed']);
    await clock.advanceTo(1_000);
    expect(statuses()).toEqual(['ready', 'ready']);
  });

  it('replaces one that is lost during a change, when the change is done', async () => {
    const { actuator, clock, launcher, statuses, lose } = await openWith(1);
    launcher.hold();
    const scaled = actuator.apply(scaleTo(planOf(small, 2)));
    await settled();
    await lose(0);
    launcher.release();
    await scaled;
    expect(statuses()).toEqual(['ready', 'failed']);
    await clock.advanceTo(1_000);
    expect(statuses()).toEqual(['ready', 'ready']);
  });

  it('starts nothing after close', async () => {
    const { actuator, clock, launcher, statuses, lose } = await openWith(1);
    await lose(0);
    await actuator.close();
    expect(clock.pendingAlarms).toBe(0);
    await clock.advanceTo(10_000);
    expect([statuses(), launcher.launches.length]).toEqual([[], 1]);
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
