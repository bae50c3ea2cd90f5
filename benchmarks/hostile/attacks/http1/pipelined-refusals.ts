import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'eight connections pipeline requests of 40 bytes for paths that do not exist, without a pause',
  bound: 'pipelining is bounded, and other connections have their turns',
  allowed: ['404', '503', 'closed'],
  async run(client) {
    const requests = get('/nowhere').repeat(2000);
    const sockets = Array.from({ length: 8 }, () => client.socket());
    await client.repeat(20, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength < 1e6) socket.write(requests);
    });
  },
});
