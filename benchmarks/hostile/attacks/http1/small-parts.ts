import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '1,500 connections send 65,000 of 65,536 bytes of a body and wait, and return after a refusal',
  bound: 'the small parts of unfinished bodies leave room for requests of other clients',
  allowed: ['408', '503', 'closed'],
  async run(client) {
    const part = Buffer.concat([
      postHead(RUN, ['content-type: text/plain', 'content-length: 65536']),
      Buffer.alloc(65_000, 'a '),
    ]);
    const open = (): void => {
      const socket = client.socket();
      socket.write(part);
      socket.once('close', () => setTimeout(() => client.isRunning && open(), 200));
    };
    await client.repeat(100, (round) => {
      if (round < 15) for (let count = 0; count < 100; count++) open();
    });
  },
});
