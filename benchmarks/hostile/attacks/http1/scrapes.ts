import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections scrape in turns as fast as they can',
  bound: 'metrics are rendered at most twice a second and shared',
  allowed: ['200', '429', '503', 'closed'],
  async run(client) {
    await client.sendInTurns(50, () => get('/metrics'));
  },
});
