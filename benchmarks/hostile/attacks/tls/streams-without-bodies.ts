import { defineAttack, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 HTTP/2 connections over TLS with 1,000 POST streams each that never get a byte',
  bound: 'streams of all connections are bounded; one without a byte ends after 10 s',
  server: 'secure',
  run(client) {
    for (let count = 0; count < 20; count++) {
      const session = client.session();
      for (let each = 0; each < 1000; each++) {
        const stream = session.request({ ':method': 'POST', ':path': RUN, ...client.authorization() });
        stream.on('response', (headers) => client.note(String(headers[':status'])));
        stream.on('error', () => client.note('closed'));
      }
    }
  },
});
