import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  PREFACE,
  requestHeaders,
  settings,
} from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections a second, each with 20 calls, of which the last has trailers without an end',
  bound: 'a connection may end amid a header block',
  port: 'grpc',
  async run(client) {
    const frames = Array.from({ length: 20 }, (_, index) => [
      frame(FRAME.headers, END_HEADERS, 2 * index + 1, requestHeaders(MODEL_INFER)),
      frame(FRAME.data, 0, 2 * index + 1, Buffer.of(0)),
    ]);
    const trailers = frame(FRAME.headers, END_STREAM, 39, headerBlock([['x-a', 'b']]));
    await client.repeat(20, () => {
      const socket = client.socket();
      socket.write(Buffer.concat([PREFACE, settings(), ...frames.flat(), trailers]));
      setTimeout(() => socket.destroy(), 100);
    });
  },
});
