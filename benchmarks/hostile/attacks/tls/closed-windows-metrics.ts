import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'five HTTP/2 connections with a window of 0 scrape 1,000 times each, in 0.12 MB',
  bound: 'metrics that wait for a window are bounded and counted; one text is shared',
  server: 'secure',
  run(client) {
    for (let count = 0; count < 5; count++) {
      const session = client.session({ initialWindowSize: 0 });
      for (let each = 0; each < 1000; each++) {
        const stream = session.request({ ':path': '/metrics', ...client.authorization() });
        stream.on('response', (headers) => client.note(String(headers[':status'])));
        stream.on('error', () => client.note('closed'));
      }
    }
  },
});
