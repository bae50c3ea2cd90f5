import { afterAll, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

it('refuses to adapt a plan whose replicas are the addresses of a server, and says how to serve it', async () => {
  folder.write(
    'pipeline.yaml',
    `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: followed }
spec:
  slo: { latencyMs: 400 }
  stages:
    - name: remote
      variants:
        - name: only
          accuracy: { value: 0.8 }
          server: { url: 'http://127.0.0.1:1', replicas: addresses, model: m }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 30 }]
`,
  );
  const refused = await equipoiseHere(folder.path, 'serve', 'pipeline.yaml', '--port', '0', '--no-admin-port');
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('The stage remote has server.replicas: addresses');
  expect(refused.stderr).toContain('Serve it with --fixed.');
});
