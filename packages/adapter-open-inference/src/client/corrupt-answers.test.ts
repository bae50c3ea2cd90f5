/** Invalid answers of servers always cause an AppError of the documented kind. */
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { grpcMethods, grpcPath } from '@equipoise/open-inference-codec';
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClientOptions, InferenceClient } from './inference-client.js';
import { openInferenceClient } from './open-inference-client.js';

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

async function clientOfHttp(answer: (response: ServerResponse) => void): Promise<InferenceClient> {
  const server: HttpServer = createServer((request, response) => {
    request.resume().on('end', () => answer(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = openInferenceClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  opened.push(
    () => client.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return client;
}

const infer = (client: InferenceClient) => client.infer('m', { inputs: {} }, { timeoutMs: 5000 });
const entry = '{"name":"x","datatype":"INT8","shape":[2]';

describe('over REST', () => {
  it.each<[string, number, string, Readonly<Record<string, string>>, string, RegExp]>([
    ['nothing', 200, '', {}, 'STAGE_FAILED', /body is empty/],
    ['no JSON', 200, '<html>', {}, 'STAGE_FAILED', /not JSON/],
    ['no outputs', 200, '{}', {}, 'STAGE_FAILED', /outputs must be an array/],
    ['data of another length', 200, `{"outputs":[${entry},"data":[1]}]}`, {}, 'STAGE_FAILED', /1 elements where 2/],
    [
      'an unknown type',
      200,
      '{"outputs":[{"name":"x","datatype":"Q","shape":[1],"data":[1]}]}',
      {},
      'STAGE_FAILED',
      /x/,
    ],
    ['a length that lies', 200, '{}', { 'inference-header-content-length': '9' }, 'STAGE_FAILED', /states 9 bytes/],
    ['a redirect', 302, '', { location: 'http://127.0.0.1:9/' }, 'STAGE_FAILED', /answered 302: nothing/],
    ['a page as a failure', 500, '<html>oops</html>', {}, 'STAGE_FAILED', /answered 500: <html>oops/],
    ['a refusal', 400, '{"error":"bad shape"}', {}, 'INVALID_INPUT', /answered 400: bad shape/],
    ['a refusal of FastAPI', 422, '{"detail":[{"msg":"bad"}]}', {}, 'INVALID_INPUT', /"msg":"bad"/],
    ['too much to do', 503, '{"error":"full"}', { 'retry-after': '2' }, 'DROPPED', /full/],
    ['a rate limit', 429, '', {}, 'DROPPED', /429/],
    ['a time-out of its own', 504, '', {}, 'DEADLINE_PASSED', /504/],
    ['a gateway without a server', 502, '', {}, 'UNREACHABLE', /502/],
    ['no permission', 401, '', {}, 'STAGE_FAILED', /401/],
    ['no such model', 404, '', {}, 'NOT_FOUND', /404/],
  ])('%s', async (_, code, body, headers, expected, words) => {
    const client = await clientOfHttp((response) => response.writeHead(code, headers).end(body));
    const failure = infer(client).catch((error: unknown) => error);
    expect(await failure).toMatchObject({ name: 'AppError', code: expected, message: expect.stringMatching(words) });
    if (code === 503) expect(await failure).toMatchObject({ retryable: true, details: { retryAfterMs: 2000 } });
  });

  it('an answer that breaks off', async () => {
    const client = await clientOfHttp((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"outputs"', () => response.destroy());
    });
    await expect(infer(client)).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
  });

  it('a kept connection that the server closed is no failure', async () => {
    let calls = 0;
    const client = await clientOfHttp((response) => {
      calls += 1;
      // The connection of the second request is reset; the third request gets a new connection.
      if (calls === 2) response.socket?.resetAndDestroy();
      else response.end('{"outputs":[]}');
    });
    await infer(client);
    expect((await infer(client)).outputs).toEqual({});
    expect(calls).toBe(3);
  });
});

describe('over gRPC', () => {
  async function clientOfGrpc(
    answer: () => Buffer | { code: status; metadata?: Metadata },
    options: ClientOptions = {},
  ): Promise<InferenceClient> {
    const server = new Server();
    const bytes = (message: Buffer) => message;
    const form = {
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    const unary = { requestStream: false, responseStream: false, ...form };
    const reply = (_: unknown, done: (error: object | null, answer?: Buffer) => void) => {
      const given = answer();
      if (Buffer.isBuffer(given)) done(null, given);
      else done({ details: 'no', ...given });
    };
    const { modelInfer, modelReady, serverLive, serverReady } = grpcMethods;
    const methods = { modelInfer, modelReady, serverLive, serverReady };
    server.addService(
      Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, { path: grpcPath(method), ...unary }])),
      Object.fromEntries(Object.keys(methods).map((name) => [name, reply])),
    );
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
    });
    const client = openInferenceClient(`grpc://127.0.0.1:${port}`, options);
    opened.push(
      () => client.close(),
      () => server.forceShutdown(),
    );
    return client;
  }

  it.each([
    [status.INVALID_ARGUMENT, 'INVALID_INPUT'],
    [status.NOT_FOUND, 'NOT_FOUND'],
    [status.RESOURCE_EXHAUSTED, 'DROPPED'],
    [status.UNAVAILABLE, 'DROPPED'],
    [status.DEADLINE_EXCEEDED, 'DEADLINE_PASSED'],
    [status.INTERNAL, 'STAGE_FAILED'],
    [status.PERMISSION_DENIED, 'STAGE_FAILED'],
  ])('the status %i', async (code, expected) => {
    const metadata = new Metadata();
    metadata.set('grpc-retry-pushback-ms', '1500');
    const client = await clientOfGrpc(() => ({ code, metadata }));
    await expect(infer(client)).rejects.toMatchObject({ code: expected, details: { retryAfterMs: 1500 } });
  });

  it('a health answer that cannot be read, which means unhealthy', async () => {
    // The tag of a field without its value.
    const client = await clientOfGrpc(() => Buffer.from([8]));
    expect(await Promise.all([client.serverLive(), client.serverReady(), client.modelReady('m')])).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('an answer that is too large, which is no lack of capacity', async () => {
    const client = await clientOfGrpc(() => Buffer.alloc(2000), { maxAnswerBytes: 1000 });
    await expect(infer(client)).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: expect.stringContaining('more than 1000 bytes'),
      retryable: false,
    });
  });

  it('whatever bytes (property)', async () => {
    let bytes = Buffer.alloc(0);
    const client = await clientOfGrpc(() => bytes);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (answer) => {
        bytes = Buffer.from(answer);
        const end = await infer(client).catch((error: unknown) => error);
        if (end instanceof Error) expect(end).toMatchObject({ code: 'STAGE_FAILED' });
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});
