import { deflateSync } from 'node:zlib';
import { defineAttack, post, RUN } from '../../hostile-client.js';
import { pngChunk, pngImage, variedPng } from '../../png-image.js';

export const attack = defineAttack(import.meta.url, {
  does: 'small pictures with image data of 500 MB, with a text and a profile of 100 MB, with 200,000 chunks; two a second',
  bound: 'data beyond the picture are not unpacked, and other chunks are skipped or bounded',
  async run(client) {
    const size = { widthPx: 64, heightPx: 64 };
    const packed = deflateSync(Buffer.alloc(100 << 20));
    const named = (name: string) => Buffer.concat([Buffer.from(`${name}\0\0`), packed]);
    const images = [
      pngImage({ ...size, unpackedBytes: 500 << 20 }),
      pngImage({ ...size, chunks: [pngChunk('zTXt', named('a'))] }),
      pngImage({ ...size, chunks: [pngChunk('iCCP', named('a'))] }),
      pngImage({ ...size, chunks: Array.from({ length: 200_000 }, () => pngChunk('tEXt', Buffer.from('a\0b'))) }),
    ];
    await client.repeat(500, (round) => {
      const image = variedPng(images[round % images.length] ?? Buffer.alloc(0), round);
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'image/png', image));
    });
  },
});
