import { connect } from 'node:tls';
import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'connections of TLS 1.2 that renegotiate without end',
  bound: 'a client may not renegotiate',
  server: 'secure',
  allowed: ['200', 'no-tls-1.2', 'refused-renegotiation', 'closed'],
  async run(client) {
    await client.repeat(100, () => {
      const options = { rejectUnauthorized: false, maxVersion: 'TLSv1.2' } as const;
      const socket = connect({ host: client.host, port: client.port, ...options });
      const again = (): void => {
        socket.renegotiate({ rejectUnauthorized: false }, (error) => {
          client.note(error === null ? 'renegotiated' : 'refused-renegotiation');
          if (error === null && client.isRunning) again();
          else socket.destroy();
        });
      };
      socket.on('error', (error) =>
        client.note(error.message.includes('version') ? 'no-tls-1.2' : 'refused-renegotiation'),
      );
      socket.once('secureConnect', again);
      setTimeout(() => socket.destroy(), 2000);
      socket.write(get('/livez'));
      socket.resume();
    });
  },
});
