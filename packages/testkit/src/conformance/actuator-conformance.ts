/**
 * Contract of every Actuator: the running plan becomes the target, new replicas start before old ones stop, and nothing
 * happens twice.
 */
import {
  AppError,
  type Change,
  InvariantViolation,
  type RunningReplica,
  type StageId,
  type StagePlan,
  type VariantId,
} from '@equipoise/core/model';
import type { Actuator } from '@equipoise/core/ports';
import { afterEach, describe, expect, it } from 'vitest';

/** Actuator of a stage with three variants, of which the last cannot start. */
export interface ActuatorSubject {
  readonly actuator: Actuator;
  readonly stageId: StageId;
  readonly variantIds: readonly [VariantId, VariantId];
  readonly unstartableVariantId: VariantId;
  /** Calls `listener` whenever the number of replicas in service may have changed. */
  readonly onServingChanged: (listener: () => void) => void;
}

interface ServingSubject extends ActuatorSubject {
  readonly ready: () => readonly RunningReplica[];
}

const ids = (replicas: readonly RunningReplica[]): string[] => replicas.map(({ replicaId }) => replicaId);

/**
 * Defines the suite; calls `make` once per test. `loseReplica` removes a serving replica; without it no test loses a
 * replica.
 */
export function describeActuatorConformance<Subject extends ActuatorSubject>(
  name: string,
  make: () => Subject | Promise<Subject>,
  loseReplica?: (subject: Subject) => Promise<void> | void,
): void {
  describe(`${name} as an Actuator`, () => {
    const opened: Actuator[] = [];

    async function open() {
      const subject = await make();
      opened.push(subject.actuator);
      const { actuator, stageId, variantIds } = subject;
      const planOf = (over: Partial<StagePlan>): StagePlan => ({
        variantId: variantIds[0],
        resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
        maxBatchSize: 1,
        maxBatchWaitMs: 0,
        replicas: 1,
        trafficFraction: 1,
        ...over,
      });
      const running = () => {
        const stage = actuator.runningPlan().stages[stageId];
        if (stage === undefined) throw new Error('the running plan lacks the stage');
        return stage;
      };
      const ready = () => running().replicas.filter(({ status }) => status === 'ready');
      const scale = (over: Partial<StagePlan>): Change => ({
        kind: 'scale',
        stageId,
        fromReplicas: ready().length,
        to: planOf(over),
      });
      const switchTo = (variantId: VariantId, over: Partial<StagePlan> = {}): Change => ({
        kind: 'switch-variant',
        stageId,
        fromVariantId: running().replicas[0]?.variantId,
        to: planOf({ ...over, variantId }),
      });
      return { ...subject, planOf, running, ready, scale, switchTo };
    }

    /** Fewest replicas in service while `change` is applied. */
    async function fewestDuring(subject: ServingSubject, change: Change): Promise<number> {
      let fewest = subject.ready().length;
      subject.onServingChanged(() => {
        fewest = Math.min(fewest, subject.ready().length);
      });
      await subject.actuator.apply(change);
      return fewest;
    }

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((actuator) => actuator.close()));
    });

    it('lists a stage that does not run', async () => {
      const { running } = await open();
      expect(running().replicas).toEqual([]);
    });

    it('starts what is missing and tells what runs', async () => {
      const { actuator, switchTo, running, variantIds } = await open();
      await actuator.apply(switchTo(variantIds[0], { replicas: 3, maxBatchSize: 4, maxBatchWaitMs: 2 }));
      expect(running()).toMatchObject({ maxBatchSize: 4, maxBatchWaitMs: 2 });
      const { replicas } = running();
      expect(new Set(ids(replicas)).size).toBe(3);
      for (const replica of replicas) {
        expect(replica).toMatchObject({ variantId: variantIds[0], resources: { cpuCores: 1 }, status: 'ready' });
      }
    });

    it('finds nothing to do when a change is repeated', async () => {
      const { actuator, scale, running } = await open();
      await actuator.apply(scale({ replicas: 2 }));
      const before = running();
      await actuator.apply(scale({ replicas: 2 }));
      expect(running()).toEqual(before);
    });

    it('scales up beside what serves and down to what is wanted', async () => {
      const subject = await open();
      const { actuator, scale, ready } = subject;
      await actuator.apply(scale({ replicas: 1 }));
      const [first] = ids(ready());
      expect(await fewestDuring(subject, scale({ replicas: 3 }))).toBe(1);
      expect(ids(ready())).toHaveLength(3);
      expect(ids(ready())).toContain(first);
      expect(await fewestDuring(subject, scale({ replicas: 2 }))).toBe(2);
      expect(subject.running().replicas).toHaveLength(2);
    });

    it('switches the variant without ever serving with less than the smaller of both', async () => {
      const subject = await open();
      const { actuator, switchTo, running, variantIds } = subject;
      await actuator.apply(switchTo(variantIds[0], { replicas: 2 }));
      const old = ids(running().replicas);
      expect(await fewestDuring(subject, switchTo(variantIds[1], { replicas: 3 }))).toBe(2);
      expect(running().replicas.map(({ variantId }) => variantId)).toEqual(Array(3).fill(variantIds[1]));
      expect(ids(running().replicas).some((id) => old.includes(id))).toBe(false);
    });

    it('sets resources with new replicas', async () => {
      const subject = await open();
      const { actuator, planOf, scale, running, stageId } = subject;
      await actuator.apply(scale({ replicas: 2 }));
      const fromResources = planOf({}).resources;
      const to = planOf({ replicas: 2, resources: { ...fromResources, cpuCores: 2 } });
      expect(await fewestDuring(subject, { kind: 'set-resources', stageId, fromResources, to })).toBe(2);
      expect(running().replicas.map(({ resources }) => resources.cpuCores)).toEqual([2, 2]);
    });

    it('sets the batching of the replicas that run', async () => {
      const { actuator, planOf, scale, running, stageId } = await open();
      await actuator.apply(scale({ replicas: 2 }));
      const before = ids(running().replicas);
      await actuator.apply({
        kind: 'set-batch',
        stageId,
        to: planOf({ replicas: 2, maxBatchSize: 8, maxBatchWaitMs: 5 }),
      });
      expect(running()).toMatchObject({ maxBatchSize: 8, maxBatchWaitMs: 5 });
      expect(ids(running().replicas)).toEqual(before);
    });

    it('keeps what serves when a start fails', async () => {
      const { actuator, scale, switchTo, running, unstartableVariantId } = await open();
      await actuator.apply(scale({ replicas: 2 }));
      const before = running();
      await expect(actuator.apply(switchTo(unstartableVariantId, { maxBatchSize: 8 }))).rejects.toBeInstanceOf(
        AppError,
      );
      const { rolledBack, ...after } = running();
      expect(after).toEqual(before);
      expect(rolledBack).toMatchObject([{ variantId: unstartableVariantId }]);
    });

    it('lets a change give way: it ends at once, what it has begun goes on, and the next is carried out', async () => {
      const { actuator, scale, ready } = await open();
      await actuator.apply(scale({ replicas: 1 }));
      const first = actuator.apply(scale({ replicas: 2 }));
      actuator.preempt();
      await first;
      expect(ready()).toHaveLength(1);
      await actuator.apply(scale({ replicas: 3 }));
      expect(ready()).toHaveLength(3);
    });

    it('carries out changes one after another', async () => {
      const { actuator, switchTo, running, variantIds } = await open();
      const [a, b] = variantIds;
      await Promise.all([
        actuator.apply(switchTo(a, { replicas: 2 })),
        actuator.apply(switchTo(b, { replicas: 3 })),
        actuator.apply(switchTo(a, { replicas: 1 })),
      ]);
      expect(running().replicas.map(({ variantId, status }) => [variantId, status])).toEqual([[a, 'ready']]);
    });

    if (loseReplica !== undefined) {
      it('replaces a lost replica', async () => {
        const subject = await open();
        const { actuator, scale, ready } = subject;
        await actuator.apply(scale({ replicas: 2 }));
        const before = ids(ready());
        await loseReplica(subject);
        await expect.poll(() => ids(ready()).filter((id) => before.includes(id))).toHaveLength(1);
        await expect.poll(() => ready(), { timeout: 5_000 }).toHaveLength(2);
      });
    }

    it('drains everything on close, and closes twice', async () => {
      const { actuator, scale, running } = await open();
      await actuator.apply(scale({ replicas: 2 }));
      await Promise.all([actuator.close(), actuator.close()]);
      expect(running().replicas).toEqual([]);
      await expect(actuator.apply(scale({ replicas: 1 }))).rejects.toThrow(InvariantViolation);
    });
  });
}
