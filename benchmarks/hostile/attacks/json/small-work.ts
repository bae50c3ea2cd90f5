import { defineAttack, postJson } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections send 60 KB of tiny objects in turns, which is below every limit',
  bound: 'the smaller bodies cost a millisecond each, and other connections have their turns',
  allowed: ['400', '413', '422', '503', '504', 'closed'],
  async run(client) {
    const body = postJson(`{"parameters":{"a":[${'{"a":{}},'.repeat(6500)}{}]},"inputs":[]}`);
    await client.sendInTurns(10, () => body);
  },
});
