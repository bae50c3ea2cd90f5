import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 connections send heads of 2,000 headers of six bytes, many of the same name',
  bound: 'a head has at most 16 KiB, then 431',
  async run(client) {
    const same = Array.from({ length: 2000 }, () => 'a: b');
    const other = Array.from({ length: 1500 }, (_, index) => `h${index}:1`);
    await client.sendInTurns(20, (round) => get('/livez', round % 2 === 0 ? same : other));
  },
});
