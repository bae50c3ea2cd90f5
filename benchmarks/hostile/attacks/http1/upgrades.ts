import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 connections ask for websockets and cleartext HTTP/2, and go on with frames',
  bound: 'an upgrade is refused or ignored; what follows is read as HTTP/1.1',
  allowed: ['200', '400', '408', '426', '501', '503', 'closed'],
  async run(client) {
    await client.sendInTurns(20, (round) => {
      const protocol = round % 2 === 0 ? 'h2c' : 'websocket';
      const headers = [
        `upgrade: ${protocol}`,
        'connection: upgrade, http2-settings',
        'http2-settings: AAMAAABkAAQAAP__',
      ];
      return get('/livez', headers) + '\u0000'.repeat(1000);
    });
  },
});
