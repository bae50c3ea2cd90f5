import { defineAttack, INFER, post } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections get a refusal that quotes 2 MB of names, 20 times each, and read none',
  bound: 'a message has at most 2,000 characters; unread answers are bounded',
  run(client) {
    const body = JSON.stringify({ inputs: [{ name: 'n'.repeat(60_000), datatype: 'UINT8', shape: [1], data: [1] }] });
    const requests = Buffer.concat(Array.from({ length: 20 }, () => post(INFER, 'application/json', body)));
    for (let count = 0; count < 50; count++) client.socket({ reads: false }).write(requests);
  },
});
