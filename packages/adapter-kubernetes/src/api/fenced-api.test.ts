import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { leases } from '../cluster/lease-elector.js';
import { fencedApi } from './fenced-api.js';
import { MemoryKube } from './memory/memory-kube.test-support.js';
import { MemoryKubeApi } from './memory/memory-kube-api.test-support.js';

it('reads on and writes nothing once writing is over', async () => {
  const api = new MemoryKubeApi(new MemoryKube(new ManualClock(), [{ type: leases }]));
  let mayWrite = true;
  const fenced = fencedApi(api, () => mayWrite);
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'n', name: 'a' },
    spec: {},
  };
  const [ref, writer] = [{ type: leases, namespace: 'n', name: 'a' }, { fieldManager: 'test' }];
  const created = await fenced.create(leases, lease, writer);
  if (created.kind !== 'written') throw new Error(created.message);
  mayWrite = false;
  const writes = [
    () => fenced.create(leases, lease, writer),
    () => fenced.replace(leases, created.object, writer),
    () => fenced.apply(leases, lease, writer),
    () => fenced.applyStatus(leases, lease, writer),
    () => fenced.setManagedFields(leases, created.object, []),
    () => fenced.setFinalizers(leases, created.object, [], writer),
    () => fenced.scale(ref, 2, writer),
    () => fenced.delete(ref),
  ];
  for (const write of writes) await expect(write()).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await fenced.get(ref)).toEqual(created.object);
  expect(await fenced.list({ type: leases })).toMatchObject({ objects: [created.object] });
  mayWrite = true;
  expect(await fenced.delete(ref)).toEqual({ kind: 'deleted' });
});
