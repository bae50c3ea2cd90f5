import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '200 connections pipeline the API document 60 times each and read a byte a second, or nothing',
  bound: 'unread answers are bounded, whatever they hold',
  async run(client) {
    const sockets = Array.from({ length: 200 }, () => client.socket({ reads: false }));
    const paths = ['/openapi.json', '/v2/models/hostile', '/v2/models/stats', '/openapi.json'];
    for (const socket of sockets)
      socket.write(
        paths
          .map((path) => get(path))
          .join('')
          .repeat(15),
      );
    await client.repeat(1000, () => {
      for (const socket of sockets.slice(0, 100)) socket.read(1);
    });
  },
});
