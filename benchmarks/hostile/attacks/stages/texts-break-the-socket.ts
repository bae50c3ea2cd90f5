import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'each second a replica writes 64 KB that are no frame to its socket',
  bound: 'a frame that is none costs the replica, and nothing else',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(1000, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', `!garbage ${round}`));
    });
  },
});
