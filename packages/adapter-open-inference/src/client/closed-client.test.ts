import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { openInferenceClient } from './open-inference-client.js';

it('opens no connection again for what was under way when it was closed, nor for what comes later', async () => {
  let asked = 0;
  // Answers the first request, keeps the connection, and never answers the second.
  const server = createServer((request, response) => {
    request.resume();
    if (++asked === 1) response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = openInferenceClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    expect(await client.modelReady('m', { timeoutMs: 5000 })).toBe(true);
    const underWay = client.modelReady('m', { timeoutMs: 5000 });
    await new Promise((resolve) => setImmediate(resolve));
    client.close();
    await expect(underWay).resolves.toBe(false);
    await expect(client.infer('m', { inputs: {} }, { timeoutMs: 5000 })).rejects.toMatchObject({ code: 'DROPPED' });
    await expect
      .poll(() => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))))
      .toBe(0);
    expect(asked).toBeLessThanOrEqual(2);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
