import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '4,000 connections to the admin port say nothing; closed ones return',
  bound: 'connections of the admin port are bounded and take no place of requests',
  port: 'admin',
  async run(client) {
    const open = (): void => {
      const socket = client.socket();
      socket.once('close', () => client.isRunning && setTimeout(open, 1000));
    };
    for (let index = 0; index < 4000; index++) open();
    await client.ended;
  },
});
