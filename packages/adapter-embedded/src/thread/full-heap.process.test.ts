import { expect, it } from 'vitest';
import { commandItem, obeying } from '../obeying-stage.test-support.js';
import { ThreadReplicaLauncher } from './thread-replica-launcher.js';

// Rarely, V8 of Node 24 reaches the limit before the thread ends, and then the whole process ends.
it('a replica thread takes only itself along when its heap is full', async () => {
  const request = obeying();
  const launcher = new ThreadReplicaLauncher();
  const { runner } = await launcher.launch({ ...request, resources: { ...request.resources, memoryBytes: 1 } });
  await expect(runner.run([commandItem('fill-heap')])).rejects.toMatchObject({
    code: 'REPLICA_LOST',
    message: expect.stringContaining('memory limit'),
  });
  await runner.close();
});
