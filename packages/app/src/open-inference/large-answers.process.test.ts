import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PipelineSpec } from '@equipoise/core/model';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { embeddedLauncher } from '../compose/embedded-launcher.js';

const COUNT = 100_000;

it('large JSON of a server is decoded in a thread of its own', async () => {
  const outputs = [{ name: 'x', datatype: 'INT32', shape: [COUNT], data: Array(COUNT).fill(1234) }];
  const server = createServer((request, response) => {
    const body = request.url?.endsWith('/infer') ? { outputs } : { name: 's', extensions: [] };
    request.resume().on('end', () => response.end(JSON.stringify(body)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const variant = variantNamed('v', { server: { urls, model: 'm', batching: 'single' } });
  const threads: unknown[] = [];
  const started = (thread: unknown) => threads.push(thread);
  process.on('worker', started);
  try {
    const launcher = embeddedLauncher({ stages: [] } as unknown as PipelineSpec);
    const { runner } = await launcher.launch(launchRequestOf(stageNamed('sends', [variant])));
    const { items } = await runner.run([{}]);
    const [item] = items;
    expect(item?.kind === 'ok' && item.output['x']?.data.length).toBe(COUNT);
    expect(threads).toHaveLength(1);
    await runner.close();
  } finally {
    process.off('worker', started);
    server.closeAllConnections();
    server.close();
  }
});
