import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '200 connections send changes of 64 KB of tiny objects and state 16 MB',
  bound: 'bodies have at most 64 KiB; changes are 5 a second',
  port: 'admin',
  allowed: ['400', '408', '413', '415', '422', '429', '503', 'closed'],
  run(client) {
    const path = '/admin/pipelines/hostile/pin';
    const body = `{"stageId":[${'{},'.repeat(20_000)}{}]}`;
    for (let count = 0; count < 200; count++) {
      const length = count % 2 === 0 ? body.length : 16_777_216;
      const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
      client.socket().write(head + body);
    }
  },
});
