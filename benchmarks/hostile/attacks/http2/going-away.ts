import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import {
  END_HEADERS,
  FRAME,
  frame,
  grpcMessage,
  inferRequest,
  PREFACE,
  requestHeaders,
  settings,
  uint32,
} from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 connections a second announce their end with 100 unfinished calls open, and neither close nor read',
  bound: 'a connection that ends counts until it is closed, and is closed for a new one',
  port: 'grpc',
  async run(client) {
    const part = grpcMessage(inferRequest('not good')).subarray(0, 20);
    const calls = Array.from({ length: 100 }, (_, index) => [
      frame(FRAME.headers, END_HEADERS, 2 * index + 1, requestHeaders(MODEL_INFER)),
      frame(FRAME.data, 0, 2 * index + 1, part),
    ]).flat();
    const bytes = Buffer.concat([
      PREFACE,
      settings([4, 0]),
      ...calls,
      frame(FRAME.goaway, 0, 0, Buffer.concat([uint32(0), uint32(0)])),
    ]);
    await client.repeat(50, () => {
      client.socket({ reads: false }).write(bytes);
    });
  },
});
