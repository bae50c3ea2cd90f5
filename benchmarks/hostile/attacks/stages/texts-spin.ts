import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'each second a text makes a replica compute without end',
  bound: 'a run ends with runTimeoutMs, its process is killed',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(1000, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', `!spin ${'a '.repeat(round)}`));
    });
  },
});
