import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'each second a text ends its replica at once; the client states no time-out, and has a connection per text',
  bound: 'such requests run alone, on half of the replicas; clients with a record keep the others',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(1000, (round) => {
      client.socket().write(post(RUN, 'text/plain', `!exit ${'b '.repeat(round)}`));
    });
  },
});
