import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'one connection pipelines 10,000 requests of the pipeline in 1.3 MB, and closes',
  bound: 'pipelining is bounded; requests of a client that is gone are cancelled',
  async run(client) {
    const request = post(RUN, 'text/plain', 'not good');
    await client.repeat(1500, () => {
      const socket = client.socket();
      socket.write(Buffer.concat(Array.from({ length: 10_000 }, () => request)));
      setTimeout(() => socket.destroy(), 500);
    });
  },
});
