import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { type InferRequest, writeGrpcRequest } from '@equipoise/open-inference-codec';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { InboundBytes } from '../../data-plane/bytes-in-flight.js';
import { Cancellation } from '../../data-plane/cancellation.js';
import { grpcBench, withInputs } from '../grpc/grpc-bench.test-support.js';
import { ask, HttpBench, inferHeaders, overTls } from '../http-bench.test-support.js';
import { decodeJson, type RestRequest } from '../rest/endpoint.js';
import { endServers, INFER, RUN, specFor, start, tensorOf, x } from '../server-bench.test-support.js';
import { decoders } from './decoders.js';
import { LargeRequests } from './large-requests.js';

const bench = new HttpBench();
const threads: Worker[] = [];
const ends: (() => Promise<void>)[] = [];
const started = (thread: Worker) => threads.push(thread);
beforeAll(() => {
  process.on('worker', started);
});
afterAll(() => {
  process.off('worker', started);
});
afterEach(async () => {
  threads.length = 0;
  await Promise.all(ends.splice(0).map((end) => end()));
  await endServers();
  await bench.end();
});

const bytesOf = (body: string) => Uint8Array.from(Buffer.from(body));
const encoded = (bytes: Uint8Array<ArrayBuffer>) => ({ bytes, maxJsonBytes: 1e9, inputs: [tensorOf('FP32', [-1])] });
const call = () => ({ connection: {}, signal: new Cancellation() });

/** Undefined if the thread has ended. */
function priorityOf(threadId: number): number | undefined {
  try {
    return getPriority(threadId);
  } catch {
    return undefined;
  }
}

/** Enough short numbers to exceed the size decoded in the serving thread. */
const COUNT = 80_000;
const numbers = Array.from({ length: COUNT }, (_, i) => i % 1000);

describe('a large gRPC message', () => {
  const declared = { name: 'x', datatype: 'FP32', shape: [-1], contentTypes: [] } as const;
  const tensor = (count: number) => ({
    datatype: 'FP32' as const,
    shape: [count],
    data: Float32Array.from(numbers.slice(0, count)),
  });
  const request = (count: number, more: Partial<InferRequest> = {}) => ({ inputs: { x: tensor(count) }, ...more });

  it('is decoded in a thread if its elements are typed, and here if they are raw', async () => {
    const grpc = await grpcBench({ spec: withInputs(declared) });
    ends.push(grpc.close);
    for (const [count, raw, started] of [
      [100, false, 0],
      [COUNT, true, 0],
      [COUNT, false, 1],
      [COUNT, false, 1],
    ] as const) {
      const { outputs } = await grpc.inferred(writeGrpcRequest('bench', request(count), raw));
      expect(outputs['x']?.data).toEqual(tensor(count).data);
      expect(threads.length).toBe(started);
    }
  });

  it.each<[string, string, Partial<InferRequest>, number]>([
    ['of another pipeline', 'other', {}, status.NOT_FOUND],
    ['with a wrong tensor', 'bench', { inputs: { y: tensor(COUNT) } }, status.INVALID_ARGUMENT],
    [
      'with too many parameters',
      'bench',
      { parameters: Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`p${index}`, index])) },
      status.RESOURCE_EXHAUSTED,
    ],
  ])('is refused as a small one is: %s', async (_, name, more, code) => {
    const grpc = await grpcBench({ spec: withInputs(declared) });
    ends.push(grpc.close);
    await expect(grpc.inferred(writeGrpcRequest(name, request(COUNT, more), false))).rejects.toMatchObject({ code });
    expect(threads.length).toBe(1);
    expect((await grpc.inferred(writeGrpcRequest('bench', request(1), false))).outputs['x']?.shape).toEqual([1]);
  });
});

describe('large JSON', () => {
  it.each([
    ['FP32', numbers],
    ['BYTES', numbers.map(String)],
  ] as const)('is decoded in a thread, one for all: %s', async (datatype, data) => {
    const { json } = await start(specFor([tensorOf(datatype, [-1])]));
    expect((await json(INFER, x(datatype, [3], data.slice(0, 3)))).body.outputs[0].data).toEqual(data.slice(0, 3));
    expect(threads.length).toBe(0);
    for (let i = 0; i < 2; i++) {
      expect((await json(INFER, x(datatype, [COUNT], data))).body.outputs[0].data).toEqual(data);
      expect((await json(RUN, { x: data })).body.outputs.x).toEqual(data);
    }
    expect(threads.length).toBe(1);
    expect(threads[0]?.resourceLimits).toMatchObject({ maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: 400 });
  });

  it('has a thread with more memory where larger bodies are allowed', async () => {
    const limits = { maxBodyBytes: 64 * 2 ** 20, maxJsonBytes: 32 * 2 ** 20 };
    const large = new LargeRequests({ inbound: new InboundBytes(), ...limits });
    ends.push(() => large.close());
    await large.decode(call(), 'run', encoded(bytesOf('{"x":[1]}')));
    expect(threads[0]?.resourceLimits?.maxOldGenerationSizeMb).toBe(256 + 8 * (64 + 32));
  });

  it('keeps 64-bit integers exact', async () => {
    const { server } = await start(specFor([tensorOf('INT64', [-1])]));
    const data = `[${numbers.join(',')},9223372036854775807]`;
    const body = `{"inputs":[{"name":"x","datatype":"INT64","shape":[${COUNT + 1}],"data":${data}}]}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}${INFER}`, { method: 'POST', body, headers });
    expect(await answer.text()).toContain(',9223372036854775807]');
    expect(threads.length).toBe(1);
  });

  it.each([
    ['no JSON', `{"inputs":[${numbers.join(',')}`, 400, 'MALFORMED_REQUEST'],
    ['too many objects', `{"inputs":[${'{},'.repeat(270_000)}1]}`, 413, 'BODY_TOO_LARGE'],
    ['another shape', JSON.stringify(x('FP32', [1], numbers)), 422, 'TENSOR_MISMATCH'],
  ])('is refused as small JSON is: %s', async (_, body, status, code) => {
    const { send, json } = await start(specFor([tensorOf('FP32', [-1])]));
    const refused = await send(INFER, { body, headers: { 'content-type': 'application/json' } });
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect((await json(INFER, x('FP32', [COUNT], numbers))).status).toBe(200);
  });

  it('is answered for all streams of a connection, within the memory of bodies', async () => {
    const { server } = await bench.start({ ...overTls, maxInboundBytes: 3_000_000 });
    const session = bench.session(server);
    const body = JSON.stringify(x('FP32', [COUNT], numbers));
    const replies = Array.from({ length: 4 }, () => ask(session, inferHeaders, body).reply);
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(threads.length).toBe(1);
  });
});

describe('the thread', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.runIf(process.platform === 'linux')('has a lower priority than the serving thread', async () => {
    const threadIds = () => readdirSync('/proc/self/task').map(Number);
    const before = threadIds();
    const requests = new LargeRequests({ inbound: new InboundBytes(), maxBodyBytes: 1e6, maxJsonBytes: 1e6 });
    ends.push(() => requests.close());
    await requests.decode(call(), 'run', encoded(bytesOf('{"x":[1]}')));
    const begun = threadIds().filter((id) => !before.includes(id));
    expect(begun.map(priorityOf)).toContain(Math.min(19, getPriority() + 5));
  });

  it('ends after 30 s without a request, and a new one starts for the next', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const large = new LargeRequests({ inbound: new InboundBytes(), maxBodyBytes: 1e7, maxJsonBytes: 1e7 });
    ends.push(() => large.close());
    const decode = () => large.decode(call(), 'run', encoded(bytesOf('{"x":[1]}')));
    await decode();
    const ended = once(threads[0] as Worker, 'exit');
    vi.advanceTimersByTime(29_999);
    await decode();
    expect(threads.length).toBe(1);
    vi.advanceTimersByTime(30_000);
    await ended;
    expect((await decode()).inputs['x']?.shape).toEqual([1]);
    expect(threads.length).toBe(2);
  });

  it('ends though a request could not be posted to it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const inbound = new InboundBytes();
    const large = new LargeRequests({ inbound, maxBodyBytes: 1e7, maxJsonBytes: 1e7 });
    ends.push(() => large.close());
    const started = once(process, 'worker');
    const unclonable = { ...encoded(bytesOf('{"x":[1]}')), inputs: [() => {}] as never };
    await expect(large.decode(call(), 'run', unclonable)).rejects.toMatchObject({ name: 'DataCloneError' });
    expect(inbound.sum).toBe(0);
    const [thread] = (await started) as [Worker];
    const ended = once(thread, 'exit');
    vi.advanceTimersByTime(30_000);
    await ended;
  });
});

describe('JSON of medium size', () => {
  it('is decoded here until it has taken its share of the time, then in the thread', async () => {
    let nowMs = 0;
    // Each look at the clock takes 60 ms.
    const limits = { inbound: new InboundBytes(), maxBodyBytes: 1e6, maxJsonBytes: 1e6, nowMs: () => (nowMs += 60) };
    const largeRequests = new LargeRequests(limits);
    ends.push(() => largeRequests.close());
    const request = { ...call(), largeRequests } as unknown as RestRequest;
    const text = `{"x":[1,2]}${' '.repeat(10_000)}`;
    const shared = bytesOf(text.repeat(2));
    const decode = async () => {
      const { inputs } = await decodeJson(request, 'run', encoded(shared.subarray(0, text.length)));
      return inputs['x']?.data;
    };
    for (let time = 0; time < 2; time++) expect(await decode()).toEqual(Float32Array.of(1, 2));
    expect(threads.length).toBe(0);
    for (let time = 0; time < 3; time++) expect(await decode()).toEqual(Float32Array.of(1, 2));
    expect(threads.length).toBe(1);
    // The memory of the body belongs to others, too.
    expect(shared.byteLength).toBe(2 * text.length);
    nowMs += 2000;
    await decode();
    expect(await decode()).toEqual(Float32Array.of(1, 2));
  });
});

it('JSON of medium size is decoded in the thread while new clients wait to be accepted', async () => {
  const limits = { inbound: new InboundBytes(), maxBodyBytes: 1e6, maxJsonBytes: 1e6 };
  const largeRequests = new LargeRequests({ ...limits, pressure: { isHigh: true } });
  ends.push(() => largeRequests.close());
  const request = { ...call(), largeRequests } as unknown as RestRequest;
  const decode = async (text: string) => (await decodeJson(request, 'run', encoded(bytesOf(text)))).inputs['x']?.data;
  expect(await decode('{"x":[1,2]}')).toEqual(Float32Array.of(1, 2));
  expect(threads.length).toBe(0);
  expect(await decode(`{"x":[1,2]}${' '.repeat(10_000)}`)).toEqual(Float32Array.of(1, 2));
  expect(threads.length).toBe(1);
});

describe('a large request that waits', () => {
  it('is not decoded if its client goes away', async () => {
    const inbound = new InboundBytes();
    const large = new LargeRequests({ inbound, maxBodyBytes: 1e7, maxJsonBytes: 1e7 });
    ends.push(() => large.close());
    const gone = call();
    const bytes = bytesOf('{"x":[1]}');
    // Larger than the memory of the thread, so the next requests wait.
    const first = large.decode(call(), 'run', encoded(bytesOf(`{"x":[1]}${' '.repeat(5e6)}`)));
    const waiting = large.decode(gone, 'run', encoded(bytes));
    const last = large.decode(call(), 'run', encoded(bytesOf('{"x":[2]}')));
    gone.signal.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'DROPPED', details: { reason: 'cancelled' } });
    // Bytes that go to the thread leave their buffer.
    expect(bytes.byteLength).toBe(9);
    expect((await first).inputs['x']?.data).toEqual(Float32Array.of(1));
    expect((await last).inputs['x']?.data).toEqual(Float32Array.of(2));
    expect(inbound.sum).toBe(0);
  });

  it('gives back only the parameters that the server knows', () => {
    const body = '{"parameters":{"timeout_ms":5,"priority":1,"other":[{},{}]},"inputs":[]}';
    const { parameters } = decoders.infer({ ...encoded(bytesOf(body)), inputs: [] });
    expect(parameters).toEqual({ timeoutMs: 5, priority: 1 });
  });

  it.each([
    ['UINT8', [0xff, 1, 2], Uint8Array.of(0xff, 1, 2), 3],
    ['BYTES', [1, 0, 0, 0, 0xff, 1, 0, 0, 0, 0xfe], [Uint8Array.of(0xff), Uint8Array.of(0xfe)], 2],
  ] as const)('keeps no more memory than its tensors, unless they are most of it: %s', (datatype, raw, data, kept) => {
    const entry = { name: 'x', datatype, shape: [data.length], parameters: { binary_data_size: raw.length } };
    const decoded = (spaces: number) => {
      const json = JSON.stringify({ inputs: [entry] }).padEnd(spaces);
      const bytes = Uint8Array.from([...Buffer.from(json), ...raw]);
      const body = { ...encoded(bytes), inputs: [], jsonLength: json.length };
      const [x] = Object.values(decoders.infer(body).inputs);
      expect(x?.data).toEqual(data);
      const view = ArrayBuffer.isView(x?.data) ? x.data : (x?.data[0] as Uint8Array);
      return view.buffer.byteLength - bytes.length;
    };
    expect(decoded(1000)).toBe(0);
    expect(decoded(70_000)).toBe(kept - 70_000 - raw.length);
  });
});
