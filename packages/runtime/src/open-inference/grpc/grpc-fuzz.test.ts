import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { SourceTensor, TensorMap } from '@equipoise/core/model';
import { grpcMethods, grpcPath, healthCheck, writeGrpcRequest, writeMessage } from '@equipoise/open-inference-codec';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { framed, grpcBench, withInputs } from './grpc-bench.test-support.js';

/** Allowed statuses for broken messages; others would be server faults. gRPC answers broken frames with INTERNAL. */
const expected = new Set<number>([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.DEADLINE_EXCEEDED,
]);

const tensors: readonly SourceTensor[] = [
  { name: 'x', datatype: 'INT64', shape: [-1, 2], contentTypes: [] },
  { name: 's', datatype: 'BYTES', shape: [-1], contentTypes: [] },
];
const good: TensorMap = {
  x: { datatype: 'INT64', shape: [1, 2], data: BigInt64Array.of(1n, -2n) },
  s: { datatype: 'BYTES', shape: [2], data: ['a', 'bc'] },
};
const goods = [true, false].map((raw) =>
  Buffer.from(writeGrpcRequest('bench', { inputs: good, id: 'i', parameters: { priority: 1 }, outputs: ['x'] }, raw)),
);

let bench: Awaited<ReturnType<typeof grpcBench>>;
let session: ClientHttp2Session;
const defects: unknown[] = [];
const strays: unknown[] = [];
const printed = vi.spyOn(console, 'error');
const onStray = (error: unknown) => strays.push(error);

beforeAll(async () => {
  process.on('unhandledRejection', onStray);
  process.on('uncaughtException', onStray);
  bench = await grpcBench({
    spec: withInputs(...tensors),
    maxBodyBytes: 4096,
    requestTimeoutMs: 200,
    onDefect: (error) => defects.push(error),
  });
  session = connect(`http://${bench.address}`);
});

afterAll(async () => {
  session.destroy();
  await bench.close();
  process.off('unhandledRejection', onStray);
  process.off('uncaughtException', onStray);
});

async function stillServes(): Promise<void> {
  for (const message of goods) expect((await bench.inferred(message)).outputs).toEqual({ x: good['x'] });
  expect([defects, strays, printed.mock.calls]).toEqual([[], [], []]);
  await expect.poll(() => bench.runner.inFlight).toBe(0);
}

interface Shot {
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** The status of a call; undefined if the stream was cut off. */
async function shoot({ path, body, headers }: Shot): Promise<number | undefined> {
  const stream = session.request({ ':method': 'POST', ':path': path, te: 'trailers', ...headers });
  let code: string | undefined;
  const note = (fields: Readonly<Record<string, unknown>>) => {
    code ??= fields['grpc-status'] as string | undefined;
  };
  stream
    .on('response', note)
    .on('trailers', note)
    .on('error', () => {});
  stream.resume();
  stream.end(body);
  await once(stream, 'close').catch(() => {});
  return code === undefined ? undefined : Number(code);
}

/** A valid message with bytes changed, removed or inserted. */
const mutated = fc
  .tuple(
    fc.constantFrom(...goods),
    fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom(0, 1, 2)), { maxLength: 6 }),
  )
  .map(([message, changes]) => {
    const bytes = [...message];
    for (const [at, byte, how] of changes)
      bytes.splice(at % (bytes.length + 1), how === 2 ? 0 : 1, ...(how === 1 ? [] : [byte]));
    return Uint8Array.from(bytes);
  });
const many = (field: number, count: number) =>
  Buffer.from(Array.from({ length: count }, () => [field * 8 + 2, 0]).flat());
const message = fc.oneof(
  { weight: 6, arbitrary: mutated },
  fc.uint8Array({ maxLength: 100 }),
  fc.tuple(fc.constantFrom(...goods), fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % bytes.length)),
  fc.tuple(fc.constantFrom(4, 5, 6, 7), fc.nat(2000)).map(([field, count]) => many(field, count)),
);
const frame = fc.oneof(
  { weight: 4, arbitrary: message.map((bytes) => framed(bytes)) },
  message.map((bytes) => framed(bytes, 1)),
  message.map((bytes) => framed(gzipSync(bytes), 1)),
  fc.tuple(message, fc.nat(2 ** 31)).map(([bytes, length]) => {
    const lying = framed(bytes);
    lying.writeUInt32BE(length, 1);
    return lying;
  }),
  fc.tuple(message, message).map(([a, b]) => Buffer.concat([framed(a), framed(b)])),
  fc.constant(new Uint8Array(0)),
);
const path = fc.constantFrom(
  ...Object.values(grpcMethods).map(grpcPath),
  ...Array(6).fill(grpcPath(grpcMethods.modelInfer)),
  grpcPath(healthCheck),
  '/',
  '/inference.GRPCInferenceService/None',
);
const headers = fc.record(
  {
    'content-type': fc.constantFrom(...Array(8).fill('application/grpc'), 'application/json'),
    'grpc-encoding': fc.constantFrom('identity', 'gzip', 'deflate', 'br'),
    'grpc-timeout': fc.constantFrom('1S', '10S', '1n', 'x', '99999999H'),
    'x-request-id': fc.constantFrom('a', ' ', 'ü'),
  },
  { requiredKeys: ['content-type'] },
);

it('answers whatever call with a status, and serves on', async () => {
  await fc.assert(
    fc.asyncProperty(path, frame, headers, async (at, body, more) => {
      const code = await shoot({ path: at, body, headers: more });
      if (code !== undefined) expect(expected).toContain(code);
      else expect(more['content-type']).toBe('application/json');
    }),
    { seed: 5, numRuns: 3000 },
  );
  await stillServes();
}, 120_000);

it('outlives whatever bytes on its port, and serves on', async () => {
  const [, port] = bench.address.split(':');
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const http2Frame = fc
    .tuple(fc.nat(12), fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 60 }), fc.option(fc.nat(2 ** 24 - 1)))
    .map(([type, flags, stream, payload, length]) => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(length ?? payload.length, 0, 3);
      head.writeUInt8(type, 3);
      head.writeUInt8(flags, 4);
      head.writeUInt32BE(stream, 5);
      return Buffer.concat([head, payload]);
    });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((junk) => Buffer.from(junk)),
    fc.array(http2Frame, { maxLength: 8 }).map((frames) => Buffer.concat([preface, ...frames])),
    fc.constant(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const socket = connectSocket(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      await once(socket, 'connect');
      socket.end(sent);
      await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
    }),
    { seed: 6, numRuns: 1000 },
  );
  await stillServes();
}, 120_000);

it('takes streams that open and reset at once', async () => {
  const path = grpcPath(grpcMethods.modelInfer);
  for (let i = 0; i < 500; i++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': 'application/grpc',
    });
    stream.on('error', () => {});
    if (i % 2 === 0) stream.write(framed(goods[0] as Buffer));
    stream.close(8);
  }
  expect(
    (await bench.send(grpcPath(grpcMethods.serverLive), writeMessage(grpcMethods.serverLive.input, {})).ended).error,
  ).toBe(undefined);
  await stillServes();
});
