/** Contract of every ReplicaLauncher and its ModelRunners. */
import { InvariantViolation, type Tensor, type TensorMap } from '@equipoise/core/model';
import type { BatchResult, ItemResult, LaunchRequest, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

/** Start that must fail: its error code, and its launcher unless the suite's launcher is used. */
export interface UnstartableReplica {
  readonly code: string;
  readonly request: LaunchRequest;
  readonly launcher?: ReplicaLauncher;
}

/** Launcher with requests of known behavior. Absent abilities skip their tests. */
export interface RunnerSubject {
  readonly launcher: ReplicaLauncher;
  /** Stage whose output is its input. */
  readonly echo: LaunchRequest;
  /** Starts that must fail, by reason. */
  readonly unstartable?: Readonly<Record<string, UnstartableReplica>>;
  /** An item that the echo stage refuses (INVALID_INPUT), and one that it fails (STAGE_FAILED). */
  readonly refusedItem?: () => TensorMap;
  readonly failingItem?: () => TensorMap;
  /** Items with an invalid result, by kind; they fail with STAGE_FAILED. */
  readonly corruptingItems?: Readonly<Record<string, () => TensorMap>>;
  /** Batches that lose the replica, by cause. */
  readonly lossesWhileBusy?: Readonly<Record<string, (runner: ModelRunner) => Promise<BatchResult>>>;
  /** Stage with a short run timeout, and an item that never ends. */
  readonly hanging?: { readonly request: LaunchRequest; readonly item: () => TensorMap };
  /** Loses an idle replica, now or soon. */
  readonly loseWhileIdle?: (runner: ModelRunner) => Promise<void> | void;
  /** Living threads, processes or sockets of replicas; 0 soon after closing. */
  readonly living?: () => number | Promise<number>;
}

const anItem = (value: number): TensorMap => ({
  x: { datatype: 'FP32', shape: [2], data: Float32Array.of(value, -value) },
});

/** Differs between any two items of a test. */
const ownItem = (replica: number, round: number, index: number): TensorMap => ({
  x: { datatype: 'FP64', shape: [3], data: Float64Array.of(replica, round, index) },
  name: { datatype: 'BYTES', shape: [1], data: [`${replica}/${round}/${index}`] },
});

/** More than one socket read, and no multiple of a power of two. */
const largeItem = (seed: number): TensorMap => ({
  large: { datatype: 'UINT8', shape: [3, 333_337], data: Uint8Array.from({ length: 1_000_011 }, (_, i) => i * seed) },
  small: { datatype: 'FP32', shape: [1], data: Float32Array.of(seed) },
});

const largeOf = (item: ItemResult | undefined): Uint8Array<ArrayBuffer> => {
  if (item?.kind !== 'ok') throw new Error('the item failed');
  return item.output['large']?.data as Uint8Array<ArrayBuffer>;
};

const everyDatatype = (): Record<string, Tensor> => ({
  BOOL: { datatype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) },
  UINT8: { datatype: 'UINT8', shape: [1], data: Uint8Array.of(255) },
  UINT16: { datatype: 'UINT16', shape: [1], data: Uint16Array.of(65535) },
  UINT32: { datatype: 'UINT32', shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  UINT64: { datatype: 'UINT64', shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  INT8: { datatype: 'INT8', shape: [1], data: Int8Array.of(-128) },
  INT16: { datatype: 'INT16', shape: [1], data: Int16Array.of(-1) },
  INT32: { datatype: 'INT32', shape: [1], data: Int32Array.of(-1) },
  INT64: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(-(2n ** 62n)) },
  FP16: { datatype: 'FP16', shape: [1], data: Uint16Array.of(0x3c00) },
  FP32: { datatype: 'FP32', shape: [2, 1], data: Float32Array.of(0.5, -1) },
  FP64: { datatype: 'FP64', shape: [], data: Float64Array.of(0.1) },
  text: { datatype: 'BYTES', shape: [2], data: ['', 'grüße'] },
  bytes: { datatype: 'BYTES', shape: [2], data: [Uint8Array.of(1, 2), new Uint8Array(0)] },
  none: { datatype: 'FP32', shape: [0, 4], data: new Float32Array(0) },
});

/** Test of an optional ability. */
function itWith<Ability>(ability: Ability | undefined, title: string, test: (ability: Ability) => Promise<void>): void {
  if (ability !== undefined) it(title, () => test(ability));
}

export function describeModelRunnerConformance(name: string, make: () => RunnerSubject): void {
  describe(`${name} as a ModelRunner`, () => {
    const subject = make();
    const { unstartable = {}, refusedItem, failingItem, corruptingItems = {}, lossesWhileBusy = {} } = subject;
    const started: ModelRunner[] = [];

    async function start(request = subject.echo): Promise<ModelRunner> {
      const { runner } = await subject.launcher.launch(request);
      started.push(runner);
      return runner;
    }

    async function expectServing(runner: ModelRunner): Promise<void> {
      expect((await runner.run([anItem(7)])).items).toEqual([{ kind: 'ok', output: anItem(7) }]);
    }

    /** A lost replica rejects later batches, and closes. */
    async function expectGone(runner: ModelRunner): Promise<void> {
      await expect(runner.run([anItem(1)])).rejects.toMatchObject({ code: 'REPLICA_LOST', retryable: true });
      await runner.close();
    }

    const ended = async (): Promise<void> => {
      await Promise.all(started.splice(0).map((runner) => runner.close()));
      await vi.waitFor(async () => expect((await subject.living?.()) ?? 0).toBe(0), 30_000);
    };

    // One replica for all tests that leave it serving: starts are slow.
    describe('that serves', () => {
      let runner: ModelRunner;
      beforeAll(async () => {
        runner = await start();
      });
      afterAll(ended);

      it('answers each item in order, with the service time', async () => {
        const { items, serviceMs } = await runner.run([anItem(1), anItem(2), anItem(3)]);
        expect(items).toEqual([1, 2, 3].map((value) => ({ kind: 'ok', output: anItem(value) })));
        expect(serviceMs).toBeGreaterThanOrEqual(0);
      });

      it('carries every data type', async () => {
        const { items } = await runner.run([everyDatatype()]);
        expect(items).toEqual([{ kind: 'ok', output: everyDatatype() }]);
      });

      it('carries large tensors', async () => {
        const { items } = await runner.run([largeItem(3), largeItem(5)]);
        // Compared as bytes: the general comparison takes seconds for a million elements.
        for (const [index, seed] of [3, 5].entries()) {
          const item = items[index];
          const { large, small } = item?.kind === 'ok' ? item.output : {};
          const expected = largeItem(seed)['large']?.data as Uint8Array;
          expect(large?.shape).toEqual([3, 333_337]);
          expect(Buffer.compare(large?.data as Uint8Array, expected)).toBe(0);
          expect(small?.data[0]).toBe(seed);
        }
      });

      it('gives outputs that only the caller holds, if it says so', async () => {
        if (!runner.givesTensors) return;
        const given = await runner.run([largeItem(3), largeItem(5)]);
        const kept = await runner.run([largeItem(7)]);
        const buffers = new Set(given.items.map((item) => largeOf(item).buffer));
        for (const buffer of buffers) structuredClone(buffer, { transfer: [buffer] });
        expect(Buffer.compare(largeOf(kept.items[0]), largeItem(7)['large']?.data as Uint8Array)).toBe(0);
        await expectServing(runner);
      });

      it('answers items without tensors', async () => {
        expect((await runner.run([{}, {}])).items).toEqual(Array(2).fill({ kind: 'ok', output: {} }));
      });

      it('runs one batch after another, never two at once', async () => {
        const first = runner.run([anItem(1)]);
        await expect(runner.run([anItem(2)])).rejects.toThrow(InvariantViolation);
        await first;
        expect((await runner.run([anItem(3)])).items).toHaveLength(1);
      });

      it('needs at least one item', async () => {
        await expect(runner.run([])).rejects.toThrow(InvariantViolation);
      });

      itWith(refusedItem, 'fails an invalid item alone', async (refusedItem) => {
        const { items } = await runner.run([anItem(1), refusedItem(), anItem(3)]);
        expect(items).toEqual([
          { kind: 'ok', output: anItem(1) },
          { kind: 'failed', error: expect.objectContaining({ code: 'INVALID_INPUT' }) },
          { kind: 'ok', output: anItem(3) },
        ]);
      });

      itWith(failingItem, 'fails the batch on which the stage failed, and serves on', async (failingItem) => {
        const { items } = await runner.run([anItem(1), failingItem()]);
        const failed = { kind: 'failed', error: expect.objectContaining({ code: 'STAGE_FAILED', retryable: false }) };
        expect(items).toEqual([failed, failed]);
        await expectServing(runner);
      });

      it.each(Object.entries(corruptingItems))(
        'fails a batch that is answered with %s, and serves on',
        async (_, make) => {
          const { items } = await runner.run([make()]);
          expect(items).toEqual([{ kind: 'failed', error: expect.objectContaining({ code: 'STAGE_FAILED' }) }]);
          await expectServing(runner);
        },
      );
    });

    describe('from its start to its end', () => {
      afterEach(ended);

      it('tells how long the start took', async () => {
        const { runner, loadMs } = await subject.launcher.launch(subject.echo);
        started.push(runner);
        expect(loadMs).toBeGreaterThanOrEqual(0);
      });

      it('gives each request its own content, batch after batch and beside another replica', async () => {
        const runners = await Promise.all([start(), start()]);
        await Promise.all(
          runners.map(async (runner, replica) => {
            for (let round = 0; round < 20; round++) {
              const indices = Array.from({ length: 1 + ((round * 7) % 5) }, (_, index) => index);
              const { items } = await runner.run(indices.map((index) => ownItem(replica, round, index)));
              expect(items).toEqual(indices.map((index) => ({ kind: 'ok', output: ownItem(replica, round, index) })));
            }
          }),
        );
      });

      it('closes when the running batch has ended, and twice', async () => {
        const runner = await start();
        const order: string[] = [];
        const running = runner.run([anItem(1)]).then(() => order.push('ran'));
        await Promise.all([runner.close().then(() => order.push('closed')), runner.close(), running]);
        expect(order).toEqual(['ran', 'closed']);
      });

      it('is gone after close, and tells nobody that it was lost', async () => {
        const runner = await start();
        let told = 0;
        runner.onLost(() => told++);
        await runner.close();
        await expectGone(runner);
        expect(told).toBe(0);
      });

      it.each(Object.entries(unstartable))(
        'rejects a start that cannot be: %s',
        async (_, { code, request, launcher = subject.launcher }) => {
          await expect(launcher.launch(request)).rejects.toMatchObject({ name: 'AppError', code });
        },
      );

      it.each(Object.entries(lossesWhileBusy))(
        'rejects the batch during which it is lost, and tells nobody else: %s',
        async (_, lose) => {
          const runner = await start();
          let told = 0;
          runner.onLost(() => told++);
          await expect(lose(runner)).rejects.toMatchObject({ code: 'REPLICA_LOST', retryable: true });
          await expectGone(runner);
          expect(told).toBe(0);
        },
      );

      itWith(subject.hanging, 'is lost when a batch runs longer than it may', async ({ request, item }) => {
        const runner = await start(request);
        await expectServing(runner);
        await expect(runner.run([anItem(1), item()])).rejects.toMatchObject({
          code: 'REPLICA_LOST',
          retryable: true,
          message: expect.stringContaining('a batch ran longer than'),
        });
        await expectGone(runner);
      });

      itWith(subject.hanging, 'closes during a batch that never ends once that has timed out', async (hanging) => {
        const runner = await start(hanging.request);
        const running = runner.run([hanging.item()]);
        const [run, closed] = await Promise.allSettled([running, runner.close()]);
        expect(run).toMatchObject({ status: 'rejected', reason: { code: 'REPLICA_LOST' } });
        expect(closed.status).toBe('fulfilled');
      });

      itWith(subject.loseWhileIdle, 'tells once when it is lost while idle, also those who ask later', async (lose) => {
        const runner = await start();
        let told = 0;
        const lost = new Promise((resolve) => {
          runner.onLost((error) => {
            told++;
            resolve(error);
          });
        });
        await lose(runner);
        expect(await lost).toMatchObject({ code: 'REPLICA_LOST', retryable: true });
        await expect(new Promise((resolve) => runner.onLost(resolve))).resolves.toMatchObject({ code: 'REPLICA_LOST' });
        await expectGone(runner);
        expect(told).toBe(1);
      });
    });
  });
}
