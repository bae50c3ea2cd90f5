import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  grpcMessage,
  inferRequest,
  PREFACE,
  requestHeaders,
  settings,
  windowUpdate,
} from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections with a window of 0 open it for each of 100 answers by one byte at a time',
  bound: 'a byte of window costs a frame, not a copy of the answer',
  port: 'grpc',
  async run(client) {
    const ids = Array.from({ length: 100 }, (_, index) => 2 * index + 1);
    const message = grpcMessage(inferRequest('not good'));
    const calls = ids.flatMap((id) => [
      frame(FRAME.headers, END_HEADERS, id, requestHeaders(MODEL_INFER)),
      frame(FRAME.data, END_STREAM, id, message),
    ]);
    const sockets = Array.from({ length: 10 }, () => client.socket());
    for (const socket of sockets) socket.write(Buffer.concat([PREFACE, settings([4, 0]), ...calls]));
    const bytes = Buffer.concat(ids.map((id) => windowUpdate(id, 1)));
    await client.repeat(20, () => {
      for (const socket of sockets) if (socket.writable) socket.write(bytes);
    });
  },
});
