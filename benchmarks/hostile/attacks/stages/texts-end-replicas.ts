import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'each second a text ends its replica at once',
  bound: 'its batch runs once more at most, then the request fails; replicas are replaced',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(1000, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', `!exit ${'a '.repeat(round)}`));
    });
  },
});
