import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { grpcMethods, grpcPath } from '@equipoise/open-inference-codec';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { openInferenceClient } from './open-inference-client.js';

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

const context = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'x=1' };

it('passes the headers of one call over REST, next to its own', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    request.resume().on('end', () => response.end('{"outputs":[]}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = openInferenceClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { token: 't' });
  opened.push(
    () => client.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await client.infer('m', { inputs: {} }, { headers: context });
  await client.infer('m', { inputs: {} });
  expect(seen[0]).toMatchObject({ ...context, authorization: 'Bearer t', 'content-type': 'application/json' });
  expect(seen[1]).not.toHaveProperty('traceparent');
});

it('passes the headers of one call over gRPC, as metadata', async () => {
  const seen: Record<string, unknown>[] = [];
  const server = new Server();
  const bytes = (message: Buffer) => message;
  const form = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const path = grpcPath(grpcMethods.modelInfer);
  server.addService(
    { infer: { path, requestStream: false, responseStream: false, ...form } },
    {
      infer: (call: { metadata: { getMap(): object } }, done: (error: null, answer: Buffer) => void) => {
        seen.push({ ...call.metadata.getMap() });
        done(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  const client = openInferenceClient(`grpc://127.0.0.1:${port}`, { token: 't' });
  opened.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  await client.infer('m', { inputs: {} }, { headers: context });
  await client.infer('m', { inputs: {} });
  expect(seen[0]).toMatchObject({ ...context, authorization: 'Bearer t' });
  expect(seen[1]).not.toHaveProperty('traceparent');
});
