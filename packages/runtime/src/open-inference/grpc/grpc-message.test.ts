import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { framed } from './grpc-bench.test-support.js';
import { checkStatedSize, decompressed, framed as framedParts, mostUnpacked, UnaryMessage } from './grpc-message.js';
import { grpcStatus } from './grpc-status.js';

const bytes = Buffer.from('some bytes');

function read(chunks: readonly Uint8Array[], maxBytes = 100) {
  const message = new UnaryMessage(maxBytes);
  for (const chunk of chunks) message.take(Buffer.from(chunk));
  return message.end();
}

function lying(length: number, rest: Uint8Array = bytes): Buffer {
  const whole = framed(rest);
  whole.writeUInt32BE(length, 1);
  return whole;
}

describe('the message of a call', () => {
  it.each([1, 2, 3, 4, 5, 6, 14, 15])('is the same in pieces of %d bytes', (size) => {
    const whole = framed(bytes, 1);
    const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
      whole.subarray(i * size, (i + 1) * size),
    );
    expect(read(chunks)).toEqual({ compressed: true, bytes });
  });

  it.each([
    [0, 1],
    [64 * 1024, 1],
    [64 * 1024 + 1, 2],
  ])('of %d bytes leaves in %d parts', (length, parts) => {
    const message = Buffer.alloc(length, 7);
    const written = framedParts(message);
    expect(written).toHaveLength(parts);
    expect(Buffer.concat(written).equals(framed(message))).toBe(true);
  });

  it('may be empty', () => {
    expect(read([framed(new Uint8Array(0))])).toEqual({ compressed: false, bytes: Buffer.alloc(0) });
  });

  it.each<[string, readonly Uint8Array[], number]>([
    ['none', [], grpcStatus.unimplemented],
    ['two', [framed(bytes), framed(bytes)], grpcStatus.unimplemented],
    ['a longer one than it says', [lying(3)], grpcStatus.unimplemented],
    ['a shorter one than it says', [lying(20)], grpcStatus.internal],
    ['less than its prefix', [Uint8Array.of(0, 0)], grpcStatus.internal],
    ['one that says that it is large', [lying(101)], grpcStatus.resourceExhausted],
    ['one that says so in pieces', [Uint8Array.of(0), Uint8Array.of(0x7f, 0, 0, 0)], grpcStatus.resourceExhausted],
  ])('is refused: %s', (_, chunks, status) => {
    expect(() => read(chunks)).toThrow(expect.objectContaining({ status }));
  });
});

describe('a compressed message', () => {
  it.each<[string, Uint8Array]>([
    ['gzip', gzipSync(bytes)],
    ['deflate', deflateSync(bytes)],
  ])('is unpacked: %s', async (encoding, packed) => {
    const message = { compressed: true, bytes: packed };
    expect(await decompressed(message, { encoding, maxBytes: bytes.length })).toEqual(bytes);
    await expect(decompressed(message, { encoding, maxBytes: bytes.length - 1 })).rejects.toMatchObject({
      status: grpcStatus.resourceExhausted,
    });
  });

  it.each([
    ['gzip', grpcStatus.internal],
    ['identity', grpcStatus.unimplemented],
    ['br', grpcStatus.unimplemented],
  ])('is refused where it is not what it says: %s', async (encoding, status) => {
    await expect(decompressed({ compressed: true, bytes }, { encoding, maxBytes: 100 })).rejects.toMatchObject({
      status,
    });
  });
});

describe('memory for unpacking', () => {
  it('is taken for what so many bytes can become', () => {
    expect(mostUnpacked(gzipSync(new Uint8Array(1_000_000)).length, 1e9)).toBeGreaterThan(1_000_000);
    expect(mostUnpacked(1_000_000, 5000)).toBe(5000);
  });

  it('is not taken for a message that states too large a size', () => {
    const message = { compressed: true, bytes: gzipSync(bytes) };
    expect(() => checkStatedSize(message, { encoding: 'gzip', maxBytes: bytes.length })).not.toThrow();
    expect(() => checkStatedSize(message, { encoding: 'gzip', maxBytes: bytes.length - 1 })).toThrow('larger than');
    expect(() => checkStatedSize(message, { encoding: 'deflate', maxBytes: 0 })).not.toThrow();
  });

  it('is bounded, too, if a message states a wrong length', async () => {
    const packed = gzipSync(bytes);
    for (const stated of [0, 5, 2 ** 32 - 1]) {
      packed.writeUInt32LE(stated, packed.length - 4);
      const options = { encoding: 'gzip', maxBytes: bytes.length };
      await expect(decompressed({ compressed: true, bytes: packed }, options)).rejects.toMatchObject({
        status: grpcStatus.internal,
      });
    }
  });
});
