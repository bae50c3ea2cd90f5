/** Reactions of the actuator to lost replicas. */
import { AppError } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import {
  a,
  broken,
  closeOpened,
  fakeLauncher,
  open,
  planOf,
  scaleTo,
  settled,
  small,
} from './actuator-bench.test-support.js';

afterEach(closeOpened);

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
      expect([statuses(), abandoned]).toEqual([['ready', trouble === 'hung' ? 'ready' : 'failed'], givenUp]);
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
