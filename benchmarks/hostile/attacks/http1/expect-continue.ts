import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '500 connections wait for 100-continue, state the largest body, and send none of it',
  bound: 'a stated length takes no memory and nobody else’s place',
  allowed: ['100', '408', '417', '503', 'closed'],
  run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'content-length: 16777216', 'expect: 100-continue']);
    for (let count = 0; count < 500; count++) client.socket().write(head);
  },
});
