import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections pipeline 1,000 scrapes each and read no answer',
  bound: 'pipelining and unread answers of a connection are bounded',
  run(client) {
    for (let count = 0; count < 50; count++) client.socket({ reads: false }).write(get('/metrics').repeat(1000));
  },
});
