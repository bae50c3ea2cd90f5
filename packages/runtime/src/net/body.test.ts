import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { type BodyLayout, type RequestBody, readBody } from './body.js';

/** A request whose body arrives in these pieces. */
async function read(pieces: readonly Buffer[], layout?: BodyLayout) {
  const request = Object.assign(new PassThrough({ highWaterMark: 1 }), { headers: {} }) as RequestBody & PassThrough;
  const inbound = new BytesInFlight();
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
    const bounds = { maxBodyBytes: 100, timeoutMs: 60_000, inbound: new BytesInFlight(), beforeReading: () => {} };
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

  it.each(['ends', 'is cut off'])('is not kept by its request when it %s', async (how) => {
    const request = Object.assign(new PassThrough(), { headers: {} }) as RequestBody & PassThrough;
    const limits = { maxBodyBytes: 100, timeoutMs: undefined, inbound: new BytesInFlight(), beforeReading: () => {} };
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

/** Writes a piece of its own memory. */
function sent(request: PassThrough): WeakRef<ArrayBuffer> {
  const piece = new Uint8Array(50);
  request.write(piece);
  return new WeakRef(piece.buffer);
}
