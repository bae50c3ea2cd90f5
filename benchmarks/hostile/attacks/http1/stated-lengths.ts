import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '200 connections state the largest body and send 1 KB of it',
  bound: 'memory is taken as bytes arrive, not as they are stated',
  allowed: ['408', '503', 'closed'],
  run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'content-length: 16777216']);
    for (let count = 0; count < 200; count++) client.socket().write(Buffer.concat([head, Buffer.alloc(1000, 'a')]));
  },
});
