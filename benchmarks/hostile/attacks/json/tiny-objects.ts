import { defineAttack, postJson } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten bodies of 16 MB of tiny objects',
  bound: 'JSON over its limit is refused before it is parsed: 413',
  allowed: ['413', '503', 'closed'],
  async run(client) {
    const body = postJson(`{"inputs":[${'{},'.repeat(5_500_000)}{}]}`);
    for (let count = 0; count < 10; count++) client.socket().write(body);
    await client.ended;
  },
});
