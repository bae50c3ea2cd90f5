import { defineAttack } from '../../hostile-client.js';

const AFTER = ['0', '-1', '1e9', '9'.repeat(400), 'NaN', '%00', ''];

export const attack = defineAttack(import.meta.url, {
  does: 'the stream of events is opened and left 400 times a second, from the first event on and from impossible ones',
  bound: 'questions are limited by rate, and a stream costs nothing after its client is gone',
  port: 'admin',
  allowed: ['200', '400', '404', '422', '429', '503', 'closed'],
  async run(client) {
    await client.repeat(50, (round) => {
      for (let count = 0; count < 20; count++) {
        const socket = client.socket();
        const after = AFTER[(round + count) % AFTER.length];
        socket.write(`GET /admin/events?after=${after} HTTP/1.1\r\nhost: 127.0.0.1\r\nlast-event-id: ${after}\r\n\r\n`);
        setTimeout(() => socket.destroy(), 20);
      }
    });
  },
});
