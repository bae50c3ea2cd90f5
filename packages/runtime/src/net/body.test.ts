import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InboundBytes } from '../data-plane/bytes-in-flight.js';
import { BodyChunks, type BodyLayout, type RequestBody, readBody } from './body.js';

/** A request whose body arrives in these chunks. */
async function read(pieces: readonly Buffer[], layout?: BodyLayout) {
  const request = Object.assign(new PassThrough({ highWaterMark: 1 }), { headers: {} }) as RequestBody & PassThrough;
  const inbound = new InboundBytes();
  const body = readBody(request, {
    maxBodyBytes: 100,
    timeoutMs: undefined,
    inbound,
    beforeReading: () => {},
    ...layout,
  });
  for (const piece of pieces) request.write(piece);
  request.end();
  return { bytes: await body, inbound };
}

describe('a body over HTTP/2', () => {
  afterEach(() => vi.useRealTimers());

  it.each([
    ['its first byte within 10 s', false, 10_000],
    ['its last within the time for a request', true, 60_000],
  ])('has to bring %s', async (_, hasBegun, limitMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const request = Object.assign(new PassThrough(), { headers: {} }) as RequestBody & PassThrough;
    const bounds = { maxBodyBytes: 100, timeoutMs: 60_000, inbound: new InboundBytes(), beforeReading: () => {} };
    let code: string | undefined;
    const ended = readBody(request, bounds).catch((error) => {
      code = error.code;
    });
    if (hasBegun) request.write('a');
    await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(limitMs - 1);
    expect(code).toBe(undefined);
    await vi.advanceTimersByTimeAsync(1);
    await ended;
    expect(code).toBe('REQUEST_TIMEOUT');
  });
});

describe('a body', () => {
  const piece = Buffer.from('{"inputs":[]}');

  it('is not copied if it came in one piece and nothing keeps it', async () => {
    const { bytes, inbound } = await read([piece], { alignAt: 0, isTransient: true });
    expect(bytes.buffer).toBe(piece.buffer);
    expect(Buffer.from(bytes)).toEqual(piece);
    expect(inbound.sum).toBe(0);
  });

  it.each<[string, readonly Buffer[], BodyLayout | undefined]>([
    ['if it moves on', [piece], { alignAt: 3 }],
    ['if nothing is said about it', [piece], undefined],
    ['in several pieces', [piece, piece], { alignAt: 0, isTransient: true }],
  ])('gets its own memory %s', async (_, pieces, layout) => {
    const { bytes, inbound } = await read(pieces, layout);
    expect(bytes.buffer).not.toBe(piece.buffer);
    expect(Buffer.from(bytes)).toEqual(Buffer.concat(pieces));
    expect((bytes.byteOffset + (layout?.alignAt ?? 0)) % 8).toBe(0);
    expect(inbound.sum).toBe(0);
  });

  it('is read in several turns if it is large', async () => {
    const request = Object.assign(new PassThrough(), { headers: {} }) as RequestBody & PassThrough;
    const bounds = {
      maxBodyBytes: 2 ** 21,
      timeoutMs: undefined,
      inbound: new InboundBytes(),
      beforeReading: () => {},
    };
    const body = readBody(request, bounds);
    const paused = [2 ** 20 - 1, 1, 2 ** 18 - 1, 1].map((length) => {
      request.emit('data', new Uint8Array(length));
      return request.isPaused();
    });
    expect(paused).toEqual([false, true, true, true]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(request.isPaused()).toBe(false);
    request.end();
    expect(await body).toHaveLength(2 ** 20 + 2 ** 18);
  });

  it.each([
    ['read', 100_000],
    ['refused', 60_000],
  ])('frees its large chunks at once when it is %s', async (end, maxBodyBytes) => {
    const request = Object.assign(new PassThrough(), { headers: {} }) as RequestBody & PassThrough;
    const inbound = new InboundBytes();
    const body = readBody(request, { maxBodyBytes, timeoutMs: undefined, inbound, beforeReading: () => {} });
    const chunks = [
      new Uint8Array(20_000).fill(1),
      new Uint8Array(50_000).subarray(0, 20_000).fill(2),
      new Uint8Array(5_000).fill(3),
      new Uint8Array(20_000).fill(4),
    ];
    for (const chunk of chunks) request.emit('data', chunk);
    request.end();
    const sum = await body.then((bytes) => bytes.reduce((before, byte) => before + byte, 0)).catch(({ code }) => code);
    expect(sum).toBe(end === 'read' ? 20_000 * (1 + 2 + 4) + 5_000 * 3 : 'BODY_TOO_LARGE');
    // One chunk shares its memory, one is small, and the last of the refused body was never kept.
    const lengths = chunks.map(({ length }) => length);
    expect(lengths).toEqual([0, 20_000, 5_000, end === 'read' ? 0 : 20_000]);
  });

  it.each(['ends', 'is cut off'])('is not kept by its request when it %s', async (how) => {
    const request = Object.assign(new PassThrough(), { headers: {} }) as RequestBody & PassThrough;
    const limits = { maxBodyBytes: 100, timeoutMs: undefined, inbound: new InboundBytes(), beforeReading: () => {} };
    const read = readBody(request, limits).then(String, String);
    const memory = sent(request);
    if (how === 'ends') request.end();
    else request.destroy();
    await read;
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    setFlagsFromString('--no-expose-gc');
    expect(memory.deref()).toBeUndefined();
    expect(request.listenerCount('data')).toBe(1);
  });
});

describe('chunks of a body', () => {
  const sizes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 3000, max: 70_000 }));

  it('keep their bytes, in little more memory and in few parts', () => {
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 300 }), (lengths) => {
        const pieces = lengths.map((length, index) => new Uint8Array(length).fill(index));
        const length = lengths.reduce((sum, each) => sum + each);
        const chunks = new BodyChunks();
        for (const piece of pieces) chunks.take(piece);
        const parts = chunks.takeAll();
        expect(Buffer.concat(parts).equals(Buffer.concat(pieces))).toBe(true);
        const memory = new Set(parts.map(({ buffer }) => buffer));
        const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
        expect(held).toBeLessThanOrEqual(2 * length + 512);
        const large = lengths.filter((each) => each >= 4096).length;
        expect(parts.length).toBeLessThanOrEqual(2 * large + 12 + length / 32_768);
        expect(chunks.takeAll()).toEqual([]);
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  it('are not copied if they are large', () => {
    const chunks = new BodyChunks();
    const large = [new Uint8Array(65_536), new Uint8Array(4096), new Uint8Array(20_000)];
    for (const chunk of large) chunks.take(chunk);
    expect(chunks.takeAll().map(({ buffer }) => buffer)).toEqual(large.map(({ buffer }) => buffer));
  });

  it.each([
    [1, 1040],
    [32, 2048],
    [63, 65_536],
  ])('of %i bytes are refused after %i', (bytes, most) => {
    const chunks = new BodyChunks();
    const chunk = new Uint8Array(bytes);
    for (let count = 0; count < most; count++) chunks.take(chunk);
    expect(() => chunks.take(chunk)).toThrow(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
  });

  it('of 64 bytes on average are never refused', () => {
    const chunks = new BodyChunks();
    for (let count = 0; count < 100_000; count++) chunks.take(new Uint8Array(count % 2 === 0 ? 1 : 127));
    expect(chunks.length).toBe(6_400_000);
  });
});

/** Writes a chunk with its own memory. */
function sent(request: PassThrough): WeakRef<ArrayBuffer> {
  const piece = new Uint8Array(50);
  request.write(piece);
  return new WeakRef(piece.buffer);
}
