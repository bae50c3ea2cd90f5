import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'each second a text starts 20 children of a replica, and the next text ends it',
  bound: 'a process ends together with all processes that it started',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(500, (round) => {
      client
        .socket()
        .write(post(`${RUN}?timeout_ms=60000`, 'text/plain', round % 2 === 0 ? '!children' : `!exit ${round}`));
    });
  },
});
