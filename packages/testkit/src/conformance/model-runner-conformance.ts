/** What every ReplicaLauncher and the ModelRunners it starts do alike, whatever the replicas are. */
import {
  type BatchResult,
  InvariantViolation,
  type LaunchRequest,
  type ModelRunner,
  type ReplicaLauncher,
  type Tensor,
  type TensorMap,
} from '@equipoise/core';
import { afterEach, describe, expect, it } from 'vitest';

/** A launcher with requests of known behavior. What an implementation cannot do is left out, and its tests with it. */
export interface RunnerSubject {
  readonly launcher: ReplicaLauncher;
  /** A stage whose output is its input. */
  readonly echo: LaunchRequest;
  /** Requests that cannot start, by the error code they reject with. */
  readonly unstartable?: Readonly<Record<string, LaunchRequest>>;
  /** An item that the echo stage refuses with INVALID_INPUT, and one that it fails on with STAGE_FAILED. */
  readonly refusedItem?: () => TensorMap;
  readonly failingItem?: () => TensorMap;
  /** Runs a batch during which the replica is lost. */
  readonly loseWhileBusy?: (runner: ModelRunner) => Promise<BatchResult>;
  /** Makes an idle replica be lost, now or soon. */
  readonly loseWhileIdle?: (runner: ModelRunner) => Promise<void> | void;
}

const anItem = (value: number): TensorMap => ({
  x: { datatype: 'FP32', shape: [2], data: Float32Array.of(value, -value) },
});

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

/** Defines a test of what not every implementation can do. */
function itWith<Ability>(ability: Ability | undefined, title: string, test: (ability: Ability) => Promise<void>): void {
  if (ability !== undefined) it(title, () => test(ability));
}

/** Defines the suite. */
export function describeModelRunnerConformance(name: string, make: () => RunnerSubject): void {
  describe(`${name} as a ModelRunner`, () => {
    const subject = make();
    const { unstartable, refusedItem, failingItem, loseWhileBusy, loseWhileIdle } = subject;
    const started: ModelRunner[] = [];

    async function start(): Promise<ModelRunner> {
      const { runner } = await subject.launcher.launch(subject.echo);
      started.push(runner);
      return runner;
    }

    afterEach(async () => {
      await Promise.all(started.splice(0).map((runner) => runner.close()));
    });

    it('tells how long the start took', async () => {
      const { runner, loadMs } = await subject.launcher.launch(subject.echo);
      started.push(runner);
      expect(loadMs).toBeGreaterThanOrEqual(0);
    });

    it('answers each item in order, with the service time', async () => {
      const runner = await start();
      const { items, serviceMs } = await runner.run([anItem(1), anItem(2), anItem(3)]);
      expect(items).toEqual([1, 2, 3].map((value) => ({ kind: 'ok', output: anItem(value) })));
      expect(serviceMs).toBeGreaterThanOrEqual(0);
    });

    it('carries every data type', async () => {
      const runner = await start();
      const { items } = await runner.run([everyDatatype()]);
      expect(items).toEqual([{ kind: 'ok', output: everyDatatype() }]);
    });

    it('runs one batch after another, never two at once', async () => {
      const runner = await start();
      const first = runner.run([anItem(1)]);
      await expect(runner.run([anItem(2)])).rejects.toThrow(InvariantViolation);
      await first;
      expect((await runner.run([anItem(3)])).items).toHaveLength(1);
    });

    it('needs at least one item', async () => {
      const runner = await start();
      await expect(runner.run([])).rejects.toThrow(InvariantViolation);
    });

    it('closes when the running batch has ended, and twice', async () => {
      const runner = await start();
      const order: string[] = [];
      const running = runner.run([anItem(1)]).then(() => order.push('ran'));
      await Promise.all([runner.close().then(() => order.push('closed')), runner.close(), running]);
      expect(order).toEqual(['ran', 'closed']);
    });

    it('is gone after close', async () => {
      const runner = await start();
      await runner.close();
      await expect(runner.run([anItem(1)])).rejects.toMatchObject({ code: 'REPLICA_LOST', retryable: true });
    });

    itWith(unstartable, 'rejects a start that cannot be with what is wrong', async (unstartable) => {
      for (const [code, request] of Object.entries(unstartable)) {
        await expect(subject.launcher.launch(request)).rejects.toMatchObject({ name: 'AppError', code });
      }
    });

    itWith(refusedItem, 'fails an invalid item alone', async (refusedItem) => {
      const runner = await start();
      const { items } = await runner.run([anItem(1), refusedItem(), anItem(3)]);
      expect(items).toEqual([
        { kind: 'ok', output: anItem(1) },
        { kind: 'failed', error: expect.objectContaining({ code: 'INVALID_INPUT' }) },
        { kind: 'ok', output: anItem(3) },
      ]);
    });

    itWith(failingItem, 'serves on after a batch on which the stage failed', async (failingItem) => {
      const runner = await start();
      const { items } = await runner.run([failingItem()]);
      expect(items).toEqual([{ kind: 'failed', error: expect.objectContaining({ code: 'STAGE_FAILED' }) }]);
      expect((await runner.run([anItem(1)])).items).toEqual([{ kind: 'ok', output: anItem(1) }]);
    });

    itWith(loseWhileBusy, 'rejects the batch during which it is lost, and tells nobody else', async (loseWhileBusy) => {
      const runner = await start();
      let told = 0;
      runner.onLost(() => told++);
      await expect(loseWhileBusy(runner)).rejects.toMatchObject({ code: 'REPLICA_LOST', retryable: true });
      await expect(runner.run([anItem(1)])).rejects.toMatchObject({ code: 'REPLICA_LOST' });
      await runner.close();
      expect(told).toBe(0);
    });

    itWith(loseWhileIdle, 'tells once when it is lost while idle, also those who ask later', async (loseWhileIdle) => {
      const runner = await start();
      let told = 0;
      const lost = new Promise((resolve) => {
        runner.onLost((error) => {
          told++;
          resolve(error);
        });
      });
      await loseWhileIdle(runner);
      expect(await lost).toMatchObject({ code: 'REPLICA_LOST', retryable: true });
      await expect(new Promise((resolve) => runner.onLost(resolve))).resolves.toMatchObject({ code: 'REPLICA_LOST' });
      await runner.close();
      expect(told).toBe(1);
    });
  });
}
