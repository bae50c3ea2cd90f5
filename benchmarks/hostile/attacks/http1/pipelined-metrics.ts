import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '5,000 pipelined scrapes in 0.17 MB, whose client is gone after a second',
  bound: 'metrics are rendered at most twice a second, and not for sockets that are gone',
  allowed: ['200', '503', 'closed'],
  async run(client) {
    const socket = client.socket();
    socket.write(get('/metrics').repeat(5000));
    setTimeout(() => socket.destroy(), 1000);
    await client.ended;
  },
});
