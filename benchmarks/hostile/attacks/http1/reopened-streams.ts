import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'the stream of answers is opened and left 1,000 times a second, some of it pipelined before other requests',
  bound: 'a stream costs nothing after its client is gone',
  async run(client) {
    await client.repeat(20, () => {
      for (let count = 0; count < 20; count++) {
        const socket = client.socket();
        socket.write(get('/v1/pipelines/hostile/answers').repeat(count % 2 === 0 ? 1 : 50));
        setTimeout(() => socket.destroy(), 10 + count);
      }
    });
  },
});
