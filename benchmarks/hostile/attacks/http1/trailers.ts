import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections send trailers without end',
  bound: 'trailers are bounded as headers are, then 431',
  allowed: ['400', '408', '431', '503', 'closed'],
  async run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'transfer-encoding: chunked']);
    const sockets = Array.from({ length: 50 }, () => client.socket());
    for (const socket of sockets) socket.write(Buffer.concat([head, Buffer.from('1\r\na\r\n0\r\n')]));
    await client.repeat(50, (round) => {
      for (const socket of sockets) if (socket.writable) socket.write(`x-${round}: ${'b'.repeat(500)}\r\n`);
    });
  },
});
