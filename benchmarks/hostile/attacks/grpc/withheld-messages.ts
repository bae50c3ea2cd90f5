import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, grpcMessage, PREFACE, requestHeaders, settings } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 connections open 1,000 calls each, and send the prefix of a message of 16 MB',
  bound: 'streams of all connections are bounded; a stated length takes no memory',
  port: 'grpc',
  run(client) {
    const prefix = grpcMessage(Buffer.alloc(0), 16_000_000);
    for (let count = 0; count < 20; count++) {
      const frames = Array.from({ length: 1000 }, (_, index) => [
        frame(FRAME.headers, END_HEADERS, 2 * index + 1, requestHeaders(MODEL_INFER)),
        frame(FRAME.data, 0, 2 * index + 1, prefix),
      ]);
      client.socket().write(Buffer.concat([PREFACE, settings(), ...frames.flat()]));
    }
  },
});
