import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, PREFACE, requestHeaders, settings, windowUpdate } from '../../http2-frames.js';

const PRIORITY_UPDATE = 0x10;

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections with an open call each send window updates of a byte and PRIORITY_UPDATE frames without a pause',
  bound: 'a frame without effect costs microseconds, and other connections have their turns',
  port: 'grpc',
  async run(client) {
    const updates = Buffer.concat(
      Array.from({ length: 2000 }, (_, index) =>
        index % 3 === 0
          ? frame(PRIORITY_UPDATE, 0, 0, Buffer.concat([Buffer.of(0, 0, 0, 1), Buffer.from('u=0, i')]))
          : windowUpdate(index % 3 === 1 ? 0 : 1, 1),
      ),
    );
    const sockets = Array.from({ length: 10 }, () => client.socket());
    for (const socket of sockets) {
      socket.write(
        Buffer.concat([PREFACE, settings(), frame(FRAME.headers, END_HEADERS, 1, requestHeaders(MODEL_INFER))]),
      );
    }
    await client.repeat(5, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength < 1 << 20) socket.write(updates);
    });
  },
});
