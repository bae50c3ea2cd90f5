import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'a stage answers with 32 MB, with a shape of 2^40, with a message of 1 MB',
  bound: 'answers of stages are checked and bounded as requests are',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(500, (round) => {
      const text = ['!huge', '!lie', '!reject'][round % 3] ?? '';
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', text));
    });
  },
});
