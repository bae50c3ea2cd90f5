import { defineAttack, postJson } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'five connections pipeline 50 bodies of 60 KB each and close half a second later',
  bound: 'bodies of a connection are parsed one at a time, and none of a client that is gone',
  async run(client) {
    const body = postJson(`{"parameters":{"a":[${'{"a":{}},'.repeat(6500)}{}]},"inputs":[]}`);
    const bodies = Buffer.concat(Array.from({ length: 50 }, () => body));
    await client.repeat(1000, () => {
      for (let count = 0; count < 5; count++) {
        const socket = client.socket();
        socket.write(bodies);
        setTimeout(() => socket.destroy(), 500);
      }
    });
  },
});
