import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '40 connections send the largest body but for its last byte',
  bound: 'inbound bytes are bounded, and small requests still fit next to them',
  allowed: ['408', '503', 'closed'],
  run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'content-length: 16777216']);
    const body = Buffer.alloc(16_777_215, 'a');
    for (let count = 0; count < 40; count++) client.socket().write(Buffer.concat([head, body]));
  },
});
