import { connect } from 'node:tls';
import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'whole handshakes without a request, 200 a second',
  bound: 'a handshake costs a signature; it takes no place that requests need',
  server: 'secure',
  async run(client) {
    await client.repeat(50, () => {
      for (let count = 0; count < 10; count++) {
        const socket = connect({ host: client.host, port: client.port, rejectUnauthorized: false });
        socket.on('error', () => client.note('closed'));
        socket.once('secureConnect', () => {
          client.note('handshake');
          socket.destroy();
        });
      }
    });
  },
});
