import { defineAttack, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '500 connections send one byte of a head every half second',
  bound: 'a head takes at most 10 s, then 408',
  allowed: ['408', '503', 'closed'],
  async run(client) {
    const head = `POST ${RUN} HTTP/1.1\r\nhost: a\r\nx-slow: ${'a'.repeat(10_000)}`;
    const sockets = Array.from({ length: 500 }, () => client.socket());
    await client.repeat(500, (round) => {
      for (const socket of sockets) if (socket.writable) socket.write(head.charAt(round));
    });
  },
});
