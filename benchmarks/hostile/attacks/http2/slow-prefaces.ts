import { defineAttack } from '../../hostile-client.js';
import { FRAME, frame, PREFACE } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '500 connections send the preface a byte at a time, or half a frame behind it',
  bound: 'a connection without a whole preface and settings is closed',
  port: 'grpc',
  async run(client) {
    const bytes = Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, Buffer.alloc(600))]);
    const sockets = Array.from({ length: 500 }, () => client.socket());
    await client.repeat(500, (round) => {
      for (const [index, socket] of sockets.entries()) {
        if (socket.writable)
          socket.write(index % 2 === 0 || round > 0 ? bytes.subarray(round, round + 1) : bytes.subarray(0, 40));
      }
    });
  },
});
