import { crc32 } from 'node:zlib';
import type { Tensor, TensorMap } from '@equipoise/core';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { load as loadCount } from './count.js';
import { load as loadDecode } from './decode.js';

const fp32 = (shape: number[], values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const encoded = (bytes: Uint8Array): TensorMap => ({
  image: { datatype: 'UINT8', shape: [bytes.length], data: bytes },
});

/** A scene-sized picture, black left of the middle and white right of it. */
async function halves(width: number, height: number, format: 'jpeg' | 'png'): Promise<Uint8Array> {
  const pixels = Buffer.alloc(width * height * 3, 0);
  for (let i = 0; i < pixels.length; i++) if (Math.floor(i / 3) % width >= width / 2) pixels[i] = 255;
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

/** A PNG of gray pixels that ends after its header. */
function pngHead(width: number, height: number): Uint8Array {
  const chunk = (type: string, data: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const content = Buffer.concat([Buffer.from(type), data]);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(content));
    return Buffer.concat([length, content, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  const nothing = chunk('IDAT', Buffer.alloc(0));
  return new Uint8Array(Buffer.concat([signature, chunk('IHDR', header), nothing]));
}

describe('decode', () => {
  it.each(['jpeg', 'png'] as const)('turns a color %s into a gray scene in -1…1', async (format) => {
    const [result] = await loadDecode().run([encoded(await halves(224, 224, format))]);
    const image = result?.['image'];
    expect(image?.shape).toEqual([224, 224]);
    expect(image?.data[10]).toBeCloseTo(-1, 1);
    expect(image?.data[213]).toBeCloseTo(1, 1);
  });

  it('fits other sizes with gray beside them', async () => {
    const [result] = await loadDecode().run([encoded(await halves(400, 200, 'png'))]);
    const image = result?.['image'];
    expect(image?.data).toHaveLength(224 * 224);
    expect(image?.data[5]).toBeCloseTo(0, 1);
    expect(image?.data[112 * 224 + 5]).toBeCloseTo(-1, 1);
  });

  it('keeps the order of a batch', async () => {
    const wide = encoded(await halves(400, 200, 'png'));
    const exact = encoded(await halves(224, 224, 'png'));
    const corners = (await loadDecode().run([wide, exact, wide])).map((item) => Number(item['image']?.data[5]));
    expect(corners.map(Math.round)).toEqual([0, -1, 0]);
  });

  it.each([
    ['a row', 39_999_999, 1],
    ['a column', 1, 39_999_999],
    ['a large square', 2_049, 2_049],
    ['a long row within the pixels', 8_193, 1],
  ])('refuses %s by its header', async (_, width, height) => {
    await expect(loadDecode().run([encoded(pngHead(width, height))])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(`${width} x ${height} pixels`),
    });
  });

  it.each(['jpeg', 'png'] as const)('refuses a %s that is stored in several passes', async (format) => {
    const picture = sharp(await halves(64, 64, format));
    const image = encoded(await picture.toFormat(format, { progressive: true }).toBuffer());
    await expect(loadDecode().run([image])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('interlaced or progressive'),
    });
  });

  it.each([
    ['text', new TextEncoder().encode('a shelf')],
    ['nothing', new Uint8Array(0)],
    ['a GIF', new TextEncoder().encode('GIF89a')],
    ['a broken JPEG', new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3])],
    ['a broken PNG', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1, 2, 3])],
  ])('refuses %s', async (_, bytes) => {
    await expect(loadDecode().run([encoded(bytes)])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('JPEG or PNG expected'),
    });
  });

  it('refuses a truncated JPEG', async () => {
    const whole = await halves(224, 224, 'jpeg');
    await expect(loadDecode().run([encoded(whole.slice(0, whole.length - 200))])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});

describe('count', () => {
  it('names the most likely class of each garment and counts', async () => {
    const [bag, coat] = [8, 4].map((label) => Array.from({ length: 10 }, (_, i) => (i === label ? 0.55 : 0.05)));
    const [result] = await loadCount().run([
      {
        center: fp32([3, 2], [1, 2, 3, 4, 5, 6]),
        score: fp32([3], [0.9, 0.8, 0.7]),
        probabilities: fp32(
          [3, 10],
          [bag, coat, bag].flatMap((row) => row ?? []),
        ),
      },
    ]);
    expect([...(result?.['counts']?.data ?? [])]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 2, 0]);
    expect(result?.['labels']).toEqual({ datatype: 'BYTES', shape: [3], data: ['bag', 'coat', 'bag'] });
    expect(result?.['centers']?.shape).toEqual([3, 2]);
    expect(result?.['scores']?.shape).toEqual([3]);
  });

  it.each([
    ['empty tensors', { center: fp32([0, 2], []), score: fp32([0], []), probabilities: fp32([0, 10], []) }],
    ['no tensors', {}],
  ])('answers zeros for a scene with %s', async (_, item) => {
    const [result] = await loadCount().run([item]);
    expect([...(result?.['counts']?.data ?? [])]).toEqual(new Array(10).fill(0));
    expect(result?.['labels']?.shape).toEqual([0]);
    expect(result?.['centers']?.shape).toEqual([0, 2]);
    expect(result?.['scores']?.shape).toEqual([0]);
  });
});
