import { getPriority } from 'node:os';
import type { ModelRunner } from '@equipoise/core/ports';
import { describeModelRunnerConformance } from '@equipoise/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { commandItem, obeying, obeyingSubject, requestFor } from '../obeying-stage.test-support.js';
import { ProcessReplicaLauncher } from './process-replica-launcher.js';
import { expectEndsWithParent, livingProcesses, prioritiesOf } from './processes.test-support.js';

const launcher = new ProcessReplicaLauncher();
const subject = obeyingSubject(launcher, (limits) => new ProcessReplicaLauncher(limits));

describeModelRunnerConformance('ProcessReplicaLauncher', () => ({
  ...subject,
  lossesWhileBusy: {
    ...subject.lossesWhileBusy,
    'it is killed': async (runner) => {
      const { items } = await runner.run([commandItem('pid')]);
      const pid = items[0]?.kind === 'ok' ? Number(items[0].output['pid']?.data[0]) : Number.NaN;
      const running = runner.run([commandItem('spin')]);
      process.kill(pid, 'SIGKILL');
      return running;
    },
    'it writes into its socket what is no message': (runner) => runner.run([commandItem('garble')]),
    'it closes its socket': (runner) => runner.run([commandItem('hang-up')]),
  },
  hanging: { request: obeying({}, { runTimeoutMs: 500 }), item: () => commandItem('spin') },
  living: livingProcesses,
}));

describe('a replica process', () => {
  const started: ModelRunner[] = [];
  const start = async (request = obeying()): Promise<ModelRunner> => {
    const { runner } = await launcher.launch(request);
    started.push(runner);
    return runner;
  };

  afterEach(async () => {
    await Promise.allSettled(started.splice(0).map((runner) => runner.close()));
    await expect.poll(livingProcesses).toBe(0);
  });

  it('may load an export of a package, and finds the artifact', async () => {
    const runner = await start(requestFor('npm:@equipoise/adapter-onnx/stage', { artifact: './affine.onnx' }));
    const features = { datatype: 'FP32', shape: [3], data: Float32Array.of(0, 1, 2) } as const;
    const scores = { datatype: 'FP32', shape: [2], data: Float32Array.of(12, 23) };
    expect((await runner.run([{ features }])).items).toEqual([{ kind: 'ok', output: { scores } }]);
  });

  it('marks its heap as seldom as the server, has a small young generation, and inherits no other flag', async () => {
    const own = process.execArgv;
    process.execArgv = [...own, '--max-semi-space-size=64', '--incremental-marking-soft-trigger=75'];
    try {
      const { items } = await (await start()).run([commandItem('flags')]);
      const flags = items[0]?.kind === 'ok' ? items[0].output['flags']?.data : [];
      expect(flags).toContain('--incremental-marking-soft-trigger=75');
      expect(flags).not.toContain('--max-semi-space-size=64');
      expect(flags).toContain('--max-semi-space-size=16');
    } finally {
      process.execArgv = own;
    }
  });

  it('tells its resident memory while it runs', async () => {
    const { runner, residentBytes } = await launcher.launch(obeying());
    started.push(runner);
    expect(residentBytes?.()).toBeGreaterThan(10 * 2 ** 20);
    await runner.close();
    await expect.poll(() => residentBytes?.()).toBeUndefined();
  });

  it.runIf(process.platform === 'linux')('has a lower priority than the server, with all its threads', async () => {
    const { items } = await (await start()).run([commandItem('pid')]);
    const pid = items[0]?.kind === 'ok' ? Number(items[0].output['pid']?.data[0]) : Number.NaN;
    expect(prioritiesOf(pid)).toEqual([Math.min(19, getPriority() + 5)]);
  });

  it('reports what a batch costs a CPU share', async () => {
    const { resources, ...request } = obeying();
    const runner = await start({ ...request, resources: { ...resources, cpuCores: 0.5 } });
    expect((await runner.run([commandItem('pid')])).cpuMs).toBeGreaterThanOrEqual(0);
  });

  it('says with what words it ended', async () => {
    const runner = await start();
    await expect(runner.run([commandItem('throw-and-hang')])).rejects.toMatchObject({
      code: 'REPLICA_LOST',
      message: expect.stringMatching(
        /its process ended with exit code 1; it printed last:[\s\S]*thrown beside a batch/,
      ),
    });
  });

  it('prints to stderr, no more than so much a second', async () => {
    const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const runner = await start();
      await runner.run([commandItem('print')]);
      await runner.run([commandItem('print-much')]);
      await runner.close();
      const text = printed.mock.calls.map(([chunk]) => String(chunk)).join('');
      expect(text).toContain('printed by a stage');
      expect(text.length).toBeLessThan(500_000);
    } finally {
      printed.mockRestore();
    }
  });

  it('closes also when the stage left a timer, and tells when it fails to close', async () => {
    const runner = await start(obeying({ failToClose: true }));
    await runner.run([commandItem('leave-timer')]);
    await expect(runner.close()).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: expect.stringContaining('failed to close: it does not close'),
    });
  });

  it.each(['hang', 'spin'])(
    'ends with its parent, also when that is killed and the batch is of the kind: %s',
    async (command) => {
      await expectEndsWithParent('ProcessReplicaLauncher', obeying(), command);
    },
  );
});
