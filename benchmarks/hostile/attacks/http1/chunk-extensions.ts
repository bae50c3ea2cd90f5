import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections send chunk extensions that never end, 64 KB ten times a second',
  bound: 'extensions are at most 16 KiB, then 413',
  allowed: ['400', '413', '431', '503', 'closed'],
  async run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'transfer-encoding: chunked']);
    const sockets = Array.from({ length: 50 }, () => client.socket());
    for (const socket of sockets) socket.write(Buffer.concat([head, Buffer.from('1;a=')]));
    await client.repeat(100, () => {
      for (const socket of sockets)
        if (socket.writable && socket.writableLength < 1e6) socket.write('b'.repeat(65_536));
    });
  },
});
