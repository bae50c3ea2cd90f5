import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 texts a second raise an error in the stage',
  bound: 'a failing request opens no breaker on good ones: at most half of a stage is paused',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    await client.repeat(50, () => {
      client.socket().write(post(`${RUN}`, 'text/plain', '!raise'));
    });
  },
});
