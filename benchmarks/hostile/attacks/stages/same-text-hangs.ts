import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'the same text of five bytes hangs a replica each second, with a deadline of a minute',
  bound: 'a batch that hung does not run again; the same input is quarantined: REQUEST_QUARANTINED',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(1000, () => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'text/plain', '!hang'));
    });
  },
});
