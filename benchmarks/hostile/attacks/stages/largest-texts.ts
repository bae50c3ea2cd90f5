import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'texts of a million words, two a second',
  bound: 'a stage gets as much as a body may have; its time is that of its stage',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(500, (round) => {
      const text = `${round} ${'a '.repeat(1_000_000)}`;
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', text));
    });
  },
});
