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
} from '../../http2-frames.js';

const PADDED = 8;

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections send messages a byte a frame, with 0 to 255 bytes of padding, on 50 streams in turn',
  bound: 'chunks of a message are counted, and joined in linear time',
  port: 'grpc',
  async run(client) {
    const message = grpcMessage(inferRequest('a'.repeat(2000)));
    const streams = Array.from({ length: 50 }, (_, index) => 2 * index + 1);
    const heads = streams.map((id) => frame(FRAME.headers, END_HEADERS, id, requestHeaders(MODEL_INFER)));
    const sockets = Array.from({ length: 10 }, () => client.socket());
    for (const socket of sockets) socket.write(Buffer.concat([PREFACE, settings(), ...heads]));
    await client.repeat(10, (round) => {
      const byte = message.subarray(round % message.length, (round % message.length) + 1);
      const frames = streams.flatMap((id, index) => {
        const padding = (round + index) % 256;
        const data = Buffer.concat([Buffer.of(padding), byte, Buffer.alloc(padding)]);
        return [frame(FRAME.data, PADDED, id, data)];
      });
      const bytes = Buffer.concat(frames);
      for (const socket of sockets) if (socket.writable && socket.writableLength < 1 << 20) socket.write(bytes);
    });
  },
});
