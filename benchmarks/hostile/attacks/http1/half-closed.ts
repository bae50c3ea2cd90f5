import { defineAttack, post, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '200 connections at a time close their half: after a request, within a body, within a head',
  bound: 'nothing is kept for a client that is gone',
  async run(client) {
    const whole = post(RUN, 'text/plain', 'not good');
    const parts = [whole, whole.subarray(0, -3), postHead(RUN, ['content-length: 9']).subarray(0, -2)];
    await client.repeat(500, () => {
      for (let count = 0; count < 200; count++) {
        const socket = client.socket();
        const part = parts[count % parts.length] ?? whole;
        if (count % 2 === 0) socket.end(part);
        else socket.write(part, () => socket.resetAndDestroy());
      }
    });
  },
});
