import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'bodies of 60 KB that unpack to 64 MB, by gzip and brotli',
  bound: 'a body with a content-encoding is a 415',
  allowed: ['415', '503', 'closed'],
  async run(client) {
    const plain = Buffer.alloc(64 << 20);
    const requests = [
      post(RUN, 'text/plain', gzipSync(plain), ['content-encoding: gzip']),
      post(RUN, 'application/json', brotliCompressSync(plain.subarray(0, 8 << 20)), ['content-encoding: br']),
    ];
    await client.sendInTurns(20, (round) => requests[round % requests.length] ?? '');
  },
});
