import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, PREFACE, requestHeaders, settings, windowUpdate } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'frames that the protocol forbids: even streams, windows that overflow, padding beyond the frame, wrong lengths',
  bound: 'each ends its connection with GOAWAY',
  port: 'grpc',
  async run(client) {
    const open = frame(FRAME.headers, END_HEADERS, 1, requestHeaders(MODEL_INFER));
    const broken = [
      frame(FRAME.headers, END_HEADERS, 2, requestHeaders(MODEL_INFER)),
      Buffer.concat([open, windowUpdate(1, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)]),
      Buffer.concat([open, frame(FRAME.data, 8, 1, Buffer.of(255, 1))]),
      frame(FRAME.data, 0, 1, Buffer.alloc(100)),
      frame(FRAME.settings, 0, 0, Buffer.alloc(5)),
      Buffer.concat([open, windowUpdate(1, 0)]),
      frame(FRAME.headers, END_HEADERS, 1, requestHeaders(MODEL_INFER, [[':path', '/b']])),
      frame(
        FRAME.headers,
        END_HEADERS,
        1,
        requestHeaders(MODEL_INFER, [
          ['Upper', 'a'],
          ['connection', 'close'],
        ]),
      ),
      frame(FRAME.headers, END_HEADERS, 1, requestHeaders(MODEL_INFER, [['content-length', '-1']])),
      Buffer.concat([Buffer.of(255, 255, 255), Buffer.alloc(6)]),
      frame(5, 4, 1, Buffer.alloc(10)),
      frame(FRAME.goaway, 0, 0, Buffer.alloc(8)),
    ];
    await client.repeat(20, (round) => {
      for (let count = 0; count < 10; count++) {
        const socket = client.socket();
        const bytes = broken[(round + count) % broken.length] ?? Buffer.alloc(0);
        socket.write(Buffer.concat([PREFACE, settings(), bytes]));
        setTimeout(() => socket.destroy(), 500);
      }
    });
  },
});
