import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 connections send requests with a deadline of an hour in turns, as fast as they are answered',
  bound: 'requests with less time left go first; patient ones are admitted while they fit',
  async run(client) {
    await client.sendInTurns(20, () => post(`${RUN}?timeout_ms=3600000`, 'text/plain', 'not good'));
  },
});
