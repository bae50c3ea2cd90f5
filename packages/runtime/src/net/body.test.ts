import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
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
});
