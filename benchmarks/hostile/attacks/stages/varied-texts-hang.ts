import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'each second another text hangs a replica; no digest is seen twice',
  bound: 'a hung replica is replaced without a pause, and another one serves meanwhile',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(1000, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', `!hang ${'a '.repeat(round)}`));
    });
  },
});
