import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '4,000 connections never begin the handshake; closed ones return',
  bound: 'connections are bounded; a full port closes a connection without a handshake for a new one',
  server: 'secure',
  async run(client) {
    const open = (): void => {
      const socket = client.socket({ isRaw: true });
      socket.once('close', () => setTimeout(() => client.isRunning && open(), 500));
    };
    await client.repeat(50, (round) => {
      if (round < 40) for (let count = 0; count < 100; count++) open();
    });
  },
});
