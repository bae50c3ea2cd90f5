import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'texts of 4,000 different words for a condition that compares each word with each other; ten a second',
  bound: 'a condition reads at most 50,000 entries and takes at most 250,000 steps, then CONDITION_FAILED',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(100, (round) => {
      const words = Array.from({ length: 1300 + (round % 4) * 900 }, (_, index) =>
        index.toString(26).replace(/\d/g, (d) => 'qrstuvwxyz'.charAt(Number(d))),
      );
      client.socket().write(post(`${RUN}`, 'text/plain', words.join(' ')));
    });
  },
});
