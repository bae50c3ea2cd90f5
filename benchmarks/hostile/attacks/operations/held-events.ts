import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '200 connections listen to events from the first one on, and read none',
  bound: 'at most 16 listen, and one 256 KiB behind is disconnected',
  port: 'admin',
  run(client) {
    for (let count = 0; count < 200; count++) {
      client.socket({ reads: count % 2 === 0 }).write('GET /admin/events?after=0 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    }
  },
});
