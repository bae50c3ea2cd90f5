import { SeededRng } from '@equipoise/core/model';
import {
  describeModelRunnerConformance,
  launchRequestOf,
  ManualClock,
  stageNamed,
  variantNamed,
} from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { fp32 } from './obeying-stage.test-support.js';
import { SyntheticReplicaLauncher } from './synthetic-replica-launcher.js';

const request = launchRequestOf(stageNamed('synthetic', [variantNamed('only', { loadMs: 40 })]));

describeModelRunnerConformance('SyntheticRunner', () => ({
  launcher: new SyntheticReplicaLauncher({ serviceMs: () => 2, rng: new SeededRng(1) }),
  echo: launchRequestOf(stageNamed('synthetic', [variantNamed('only')])),
}));

async function launchAt(clock: ManualClock, launcher: SyntheticReplicaLauncher) {
  const launching = launcher.launch(request);
  await clock.advanceTo(clock.nowMs() + 40);
  return launching;
}

describe('SyntheticReplicaLauncher', () => {
  it('takes the declared time to start and the drawn time to serve, on the given clock', async () => {
    const clock = new ManualClock();
    const asked: unknown[] = [];
    const serviceMs = (...of: unknown[]) => {
      asked.push(of.slice(0, 2));
      return 12.5;
    };
    const launcher = new SyntheticReplicaLauncher({ serviceMs, rng: new SeededRng(1), clock });
    const { runner, loadMs } = await launchAt(clock, launcher);
    expect(loadMs).toBe(40);
    const running = runner.run([{ x: fp32(1) }, {}]);
    await clock.advanceTo(100);
    expect(await running).toEqual({
      items: [
        { kind: 'ok', output: { x: fp32(1) } },
        { kind: 'ok', output: {} },
      ],
      serviceMs: 12.5,
    });
    expect(asked).toEqual([[request, 2]]);
  });

  it('reports the CPU time of a batch whose time contains waits', async () => {
    const clock = new ManualClock();
    const options = { serviceMs: () => 40, cpuFraction: () => 0.25, rng: new SeededRng(1), clock };
    const { runner } = await launchAt(clock, new SyntheticReplicaLauncher(options));
    const running = runner.run([{}]);
    await clock.advanceTo(100);
    expect(await running).toMatchObject({ serviceMs: 40, cpuMs: 10 });
  });

  it('gives each replica its own stream of chance, the same in every process', async () => {
    const draw = async () => {
      const clock = new ManualClock();
      const launcher = new SyntheticReplicaLauncher({
        serviceMs: (_request, _batchSize, rng) => 10 * rng.next(),
        rng: new SeededRng(5),
        clock,
      });
      const drawn: number[] = [];
      for (let replica = 0; replica < 3; replica++) {
        const { runner } = await launchAt(clock, launcher);
        const running = runner.run([{}]);
        await clock.advanceTo(clock.nowMs() + 10);
        drawn.push((await running).serviceMs);
      }
      return drawn;
    };
    const drawn = await draw();
    expect(new Set(drawn).size).toBe(3);
    expect(await draw()).toEqual(drawn);
  });

  it('takes a real service time within a millisecond or two on a free machine, never less', async () => {
    const launcher = new SyntheticReplicaLauncher({ serviceMs: () => 7.3, rng: new SeededRng(1) });
    const { runner } = await launcher.launch(launchRequestOf(stageNamed('synthetic', [variantNamed('only')])));
    expect((await runner.run([{}])).serviceMs).toBeGreaterThanOrEqual(7.3);
  });
});
