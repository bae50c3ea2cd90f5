import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '1,000 connections a second are opened and reset without a byte',
  bound: 'a connection costs little before its first byte',
  async run(client) {
    await client.repeat(50, () => {
      for (let count = 0; count < 50; count++) {
        const socket = client.socket();
        socket.once('connect', () => socket.resetAndDestroy());
      }
    });
  },
});
