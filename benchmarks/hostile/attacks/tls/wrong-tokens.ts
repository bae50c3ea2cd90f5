import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'a new wrong token with every request, some of 8 KB, with 60 KB of body, on 20 connections',
  bound: 'a token is compared by its digest; without one no body is read',
  server: 'secure',
  allowed: ['401', '431', '503', 'closed'],
  async run(client) {
    let count = 0;
    const body = Buffer.alloc(60_000, 'a');
    await client.sendInTurns(20, (round) => {
      const token = `${count++}`.padEnd(round % 2 === 0 ? 32 : 8000, 'x');
      return post(RUN, 'text/plain', body, [`authorization: Bearer ${token}`]);
    });
  },
});
