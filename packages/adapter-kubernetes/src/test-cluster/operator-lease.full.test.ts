/** Single runs of the operator, and its lease, on a real control plane. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { leases } from '../cluster/lease-elector.js';
import { eventually, operatorAccount } from './cluster-objects.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { OperatorSuite } from './operator-suite.test-support.js';

const lease = { type: leases, namespace: operatorAccount.namespace, name: 'equipoise-operator' };

describeWithTool(controlPlane, 'equipoise operator and its lease, on a real control plane', () => {
  const suite = new OperatorSuite();

  it('runs once: brings the pipeline there, finds nothing to do the next time, and leaves it to another that leads', async () => {
    const { namespace, settled, condition } = await suite.pipeline();
    const once = async () => {
      const command = suite.run(namespace, '--once', '--json');
      await command.ended;
      return { exitCode: command.exitCode, document: command.document };
    };
    expect(await once()).toMatchObject({ exitCode: 0, document: { pipelines: [{ name: 'shelf', mode: 'auto' }] } });
    // Pods of the test are ready at once, so this run or the next one finishes the change.
    await once();
    await settled();
    suite.routers.rps = 20;
    // The load may change the plan. On a busy machine, this change takes several runs.
    let last = await once();
    await eventually(async () => {
      last = await once();
      const { pipelines: [pipeline] = [] } = last.document as { pipelines?: { phase: string }[] };
      return pipeline?.phase === 'settled';
    });
    expect(last).toMatchObject({ exitCode: 0, document: { pipelines: [{ replicas: { ready: expect.any(Number) } }] } });
    expect((await condition('Planned'))?.status).toBe('True');
    const other = suite.run(namespace);
    await eventually(async () => other.has('leads'));
    expect(await once()).toMatchObject({ exitCode: 1, document: { error: { code: 'CONFLICT' } } });
  });

  it('gives the lease back when it is told to stop, and ends with 0', async () => {
    const { namespace, settled } = await suite.pipeline();
    const first = suite.run(namespace);
    await settled();
    const second = suite.run(namespace);
    await eventually(async () => second.has('another leads'));
    const holder = async () => (await suite.admin.get(lease))?.spec.holderIdentity;
    const leading = await holder();
    expect(leading).not.toBe('');
    await first.stop('SIGTERM');
    expect(first.exitCode).toBe(0);
    expect(first.has('stopped')).toBe(true);
    // Without the release, the lease would be that of the first for 15 s more.
    expect(await holder()).not.toBe(leading);
    await eventually(async () => second.has('leads'));
    await second.stop('SIGTERM');
    expect(await holder()).toBe('');
  });
});
