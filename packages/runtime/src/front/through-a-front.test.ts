/** Everything that clients may expect of the serving ports, asked of ports that are in a front. */
import { vi } from 'vitest';
import type * as startServerModule from '../open-inference/start-server.js';
import type { ServerOptions } from '../open-inference/start-server.js';

vi.mock('../open-inference/start-server.js', async (importOriginal) => {
  const original = await importOriginal<typeof startServerModule>();
  const { startThroughFront } = await import('./front-bench.test-support.js');
  return { ...original, startServer: (options: ServerOptions) => startThroughFront(options, original.startServer) };
});

await import('../open-inference/start-server.test.js');
await import('../open-inference/connections.test.js');
await import('../open-inference/refusals.test.js');
await import('../open-inference/http-api.test.js');
await import('../open-inference/http-versions.test.js');
await import('../open-inference/leaving.test.js');
await import('../open-inference/metrics-endpoint.test.js');
await import('../open-inference/tls-identity.test.js');
await import('../open-inference/tenants/tenants.test.js');
await import('../open-inference/grpc/grpc-server.test.js');
await import('../open-inference/grpc/grpc-refusals.test.js');
