import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '400 requests a second, patient and of the first priority, whose clients leave at once',
  bound: 'a request whose client is gone leaves the queue before it costs a batch',
  async run(client) {
    const request = post(`${RUN}?timeout_ms=3600000&priority=1`, 'text/plain', 'not good');
    await client.repeat(50, () => {
      for (let count = 0; count < 20; count++) {
        const socket = client.socket();
        socket.write(request, () => setTimeout(() => socket.resetAndDestroy(), 1));
      }
    });
  },
});
