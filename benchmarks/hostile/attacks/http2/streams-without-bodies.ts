import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { END_HEADERS, FRAME, frame, PREFACE, requestHeaders, settings } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections with 1,000 streams each, in 3.5 MB, of which none gets a byte of its body',
  bound: 'connections and streams are bounded; a stream without a byte ends after 10 s',
  port: 'grpc',
  run(client) {
    for (let count = 0; count < 50; count++) {
      const frames = Array.from({ length: 1000 }, (_, index) =>
        frame(FRAME.headers, END_HEADERS, 2 * index + 1, requestHeaders(MODEL_INFER)),
      );
      client.socket().write(Buffer.concat([PREFACE, settings(), ...frames]));
    }
  },
});
