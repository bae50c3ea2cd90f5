import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '4,000 connections say nothing',
  bound: 'connections are bounded, and a head takes at most 10 s',
  allowed: ['408', '503', 'closed'],
  run(client) {
    for (let count = 0; count < 4000; count++) client.socket();
  },
});
