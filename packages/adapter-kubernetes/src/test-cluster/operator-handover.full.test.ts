/** An operator is killed while it acts, on a real control plane. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { eventually } from './cluster-objects.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { OperatorSuite } from './operator-suite.test-support.js';

describeWithTool(controlPlane, 'equipoise operator that is killed, on a real control plane', () => {
  const suite = new OperatorSuite();

  it('hands over when the one that acts is killed: the data plane answers meanwhile, and the plan stays what it was', async () => {
    const { namespace, settled, cores, routerPods, status } = await suite.pipeline();
    const first = suite.run(namespace);
    await settled();
    suite.routers.rps = 100;
    const calm = await cores();
    await eventually(async () => (await cores()) > calm);
    await settled();
    const second = suite.run(namespace);
    await eventually(async () => second.has('another leads'));
    // Plans and pods no longer change.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    await settled();
    const [before, podsBefore] = [(await status())?.plan?.stages, await routerPods()];
    const answers: number[] = [];
    const asking = setInterval(() => {
      const url = suite.routers.urls.at(-1);
      void fetch(`${url}/v2/health/ready`).then(
        ({ status: code }) => answers.push(code),
        () => answers.push(0),
      );
    }, 50);
    const killedAtMs = performance.now();
    await first.stop('SIGKILL');
    await eventually(async () => second.has('leads'), 60_000);
    const tookMs = performance.now() - killedAtMs;
    // The lease lasts 15 s and is polled every 2 to 4 s.
    expect(tookMs).toBeLessThan(45_000);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    clearInterval(asking);
    expect(answers.length).toBeGreaterThan(100);
    expect(answers.filter((code) => code !== 200)).toEqual([]);
    expect((await status())?.plan?.stages).toEqual(before);
    expect(await routerPods()).toEqual(podsBefore);

    suite.routers.rps = 200;
    const held = await cores();
    await eventually(async () => (await cores()) > held);
    await settled();
  }, 300_000);
});
