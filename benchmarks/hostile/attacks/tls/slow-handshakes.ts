import { defineAttack } from '../../hostile-client.js';

/** Head of a ClientHello of 512 bytes. */
const HELLO = Buffer.concat([Buffer.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3), Buffer.alloc(501, 1)]);

export const attack = defineAttack(import.meta.url, {
  does: '500 connections send a ClientHello a byte at a time',
  bound: 'a handshake takes at most 10 s',
  server: 'secure',
  async run(client) {
    const sockets = Array.from({ length: 500 }, () => client.socket({ isRaw: true }));
    await client.repeat(500, (round) => {
      for (const socket of sockets) if (socket.writable) socket.write(HELLO.subarray(round, round + 1));
    });
  },
});
