import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '500 connections state a body of 1 MB and send one byte of it every half second',
  bound: 'a request takes at most 60 s to arrive, then 408',
  allowed: ['408', '503', 'closed'],
  async run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'content-length: 1000000']);
    const sockets = Array.from({ length: 500 }, () => client.socket());
    for (const socket of sockets) socket.write(head);
    await client.repeat(500, () => {
      for (const socket of sockets) if (socket.writable) socket.write('a');
    });
  },
});
