/** An operator is killed while it acts, on a real control plane. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { eventually } from './cluster-objects.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { OperatorSuite } from './operator-suite.test-support.js';

/** Resolves when `seen` has returned the same for some time. */
async function unchanged(seen: () => Promise<string>, forMs: number): Promise<void> {
  let [last, sinceMs] = [await seen(), performance.now()];
  await eventually(async () => {
    const now = await seen();
    if (now !== last) [last, sinceMs] = [now, performance.now()];
    return performance.now() - sinceMs > forMs;
  });
}

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
    const seen = async () => JSON.stringify([(await status())?.plan?.stages, await routerPods()]);
    await unchanged(seen, 15_000);
    await settled();
    const before = await seen();
    const answers: number[] = [];
    const asking = setInterval(() => {
      const url = suite.routers.urls.at(-1);
      void fetch(`${url}/v2/health/ready`).then(
        ({ status: code }) => answers.push(code),
        () => answers.push(0),
      );
    }, 50);
    await first.stop('SIGKILL');
    await eventually(async () => second.has('leads'));
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    clearInterval(asking);
    expect(answers).toContain(200);
    expect(answers.filter((code) => code !== 200)).toEqual([]);
    expect(await seen()).toBe(before);

    suite.routers.rps = 200;
    const held = await cores();
    await eventually(async () => (await cores()) > held);
    await settled();
  });
});
