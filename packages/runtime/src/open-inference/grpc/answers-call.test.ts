import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import { AppError, type TensorMap } from '@equipoise/core/model';
import { grpcPath, listenMethod, readAnswerEvent, writeMessage } from '@equipoise/open-inference-codec';
import { Client, type ClientReadableStream, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { fp32 } from '../../data-plane/serving-bench.test-support.js';
import { tenantsOf } from '../http-bench.test-support.js';
import { type BenchOptions, framed, grpcBench, withInputs } from './grpc-bench.test-support.js';
import { requestOf } from './grpc-calls.test-support.js';

const number = { name: 'x', datatype: 'FP32' as const, shape: [1], contentTypes: [] };
const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const rejects = (item: TensorMap) =>
  Number(item['x']?.data[0]) < 0 ? new AppError('INVALID_INPUT', 'The number is negative.') : item;

async function start(options: BenchOptions = {}) {
  const bench = await grpcBench({ script: rejects, spec: withInputs(number), ...options });
  ends.push(bench.close);
  const infer = (id: string, value: number, token?: string) =>
    bench.infer(requestOf({ x: fp32([1], value) }, { id }), {
      metadata: bearer(token),
    }).ended;
  return { ...bench, infer };
}

function bearer(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

type Event = ReturnType<typeof readAnswerEvent>;

/** A call that listens, once it has its head; or the error that refuses it. */
async function listen(address: string, name = 'bench', token?: string) {
  const client = new Client(address, credentials.createInsecure());
  ends.push(() => client.close());
  const encode = (bytes: Uint8Array) => Buffer.from(bytes);
  const message = writeMessage(listenMethod.input, { modelName: name });
  const call: ClientReadableStream<Event> = client.makeServerStreamRequest(
    grpcPath(listenMethod),
    encode,
    readAnswerEvent,
    message,
    bearer(token),
  );
  const events: Event[] = [];
  call.on('data', (event: Event) => events.push(event));
  const ended = new Promise<{ code?: number; details?: string }>((resolve) => call.once('error', resolve));
  const read = async (count: number) => {
    while (events.length < count) await once(call, 'data');
    return events;
  };
  const refused = await Promise.race([once(call, 'metadata').then(() => undefined), ended]);
  return { call, read, ended, refused };
}

describe('AnswerService/Listen', () => {
  it('streams answers and failures by id', async () => {
    const { address, infer } = await start();
    const client = await listen(address);
    await infer('one', 1);
    await infer('two', -1);
    expect(await client.read(2)).toMatchObject([
      {
        ...{ id: 'one', modelName: 'bench', omittedBytes: 0n },
        latencyMs: expect.any(Number),
        outcome: {
          case: 'answer',
          value: { id: 'one', modelName: 'bench', outputs: [{ name: 'x', contents: { fp32Contents: [1] } }] },
        },
      },
      { id: 'two', outcome: { case: 'failure', value: { status: status.INVALID_ARGUMENT, code: 'INVALID_INPUT' } } },
    ]);
  });

  it('leaves out large outputs', async () => {
    const large = fp32([20_000], ...new Array<number>(20_000).fill(1));
    const { address, infer } = await start({ script: () => ({ large }) });
    const client = await listen(address);
    await infer('one', 1);
    expect(await client.read(1)).toMatchObject([
      { omittedBytes: 80_000n, outcome: { case: 'answer', value: { outputs: [] } } },
    ]);
  });

  it('sends ids and outputs of any kind', async () => {
    const half = { datatype: 'FP16', shape: [1], data: Uint16Array.of(0x3c00) } as const;
    const text = { datatype: 'BYTES', shape: [2], data: ['\ud800', Uint8Array.of(0xff)] } as const;
    const { address, infer } = await start({ script: () => ({ half, text }) as unknown as TensorMap });
    const client = await listen(address);
    const id = `\u{1f600}${'x'.repeat(1000)}`;
    await infer(id, 1);
    expect(await client.read(1)).toMatchObject([{ id, outcome: { case: 'answer', value: { id } } }]);
  });

  it('tells a tenant only its own answers, and nothing without a token', async () => {
    const { address, infer } = await start({ tenants: tenantsOf('north n-1', 'south s-1') });
    const client = await listen(address, 'bench', 'n-1');
    await infer('theirs', 2, 's-1');
    await infer('ours', 1, 'n-1');
    expect(await client.read(1)).toMatchObject([{ id: 'ours' }]);
    expect((await listen(address)).refused?.code).toBe(status.UNAUTHENTICATED);
  });

  it('refuses unknown pipelines, sources, and more clients than may listen', async () => {
    const sources = ['left', 'right'].map((name) => ({ name, to: ['a' as never], tensors: [{ ...number, name }] }));
    const { address } = await start({ spec: { sources, sourceJoin: { maxWaitMs: 1000, maxWaiting: 10 } } });
    expect((await listen(address, 'other')).refused?.code).toBe(status.NOT_FOUND);
    expect((await listen(address, 'bench.left')).refused?.code).toBe(status.NOT_FOUND);
    await Promise.all(Array.from({ length: 16 }, () => listen(address)));
    const refused = await listen(address);
    expect(refused.refused?.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('frees the place of a client that goes away', async () => {
    const { address } = await start();
    const clients = await Promise.all(Array.from({ length: 16 }, () => listen(address)));
    for (const { call } of clients) call.cancel();
    // The server learns of the cancellations one by one.
    for (;;) {
      const { refused } = await listen(address);
      if (refused === undefined) break;
    }
  });

  it('ends with the server', async () => {
    const { address, close } = await start();
    const client = await listen(address);
    ends.splice(ends.indexOf(close), 1);
    await close();
    expect(await client.ended).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('disconnects a client that does not read', async () => {
    const wide = fp32([12_000], ...new Array<number>(12_000).fill(1));
    const { address, infer } = await start({ script: () => ({ wide }) });
    const session = connect(`http://${address}`, { settings: { initialWindowSize: 1024 } });
    session.on('error', () => {});
    ends.push(() => session.destroy());
    const stream = session.request({
      ':method': 'POST',
      ':path': grpcPath(listenMethod),
      'content-type': 'application/grpc',
    });
    stream.on('error', () => {});
    stream.end(framed(writeMessage(listenMethod.input, { modelName: 'bench' })));
    await once(stream, 'response');
    const closed = new Promise((resolve) => stream.once('close', resolve));
    for (let each = 0; each < 30; each++) await infer(`${each}`, 1);
    await closed;
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await listen(address);
  });
});
