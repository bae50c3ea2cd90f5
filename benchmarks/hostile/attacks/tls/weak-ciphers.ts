import { connect } from 'node:tls';
import { defineAttack } from '../../hostile-client.js';

const OFFERS = [
  { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:AES256-SHA:AES128-SHA256' },
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384' },
  { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:AES256-GCM-SHA384' },
  { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' },
] as const;

export const attack = defineAttack(import.meta.url, {
  does: 'offers of CBC, of RSA key exchange and of TLS 1.1',
  bound: 'forward secrecy and authenticated ciphers only',
  server: 'secure',
  allowed: ['refused-offer', 'closed'],
  async run(client) {
    await client.repeat(100, (round) => {
      const offer = OFFERS[round % OFFERS.length] ?? OFFERS[0];
      const socket = connect({ host: client.host, port: client.port, rejectUnauthorized: false, ...offer });
      socket.on('error', () => client.note('refused-offer'));
      socket.once('secureConnect', () => {
        client.note(`accepted-${socket.getCipher().name}`);
        socket.destroy();
      });
    });
  },
});
