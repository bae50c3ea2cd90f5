import { defineAttack, post, RUN } from '../../hostile-client.js';
import { pngImage, variedPng } from '../../png-image.js';

export const attack = defineAttack(import.meta.url, {
  does: 'one thin PNG a second whose bytes differ each time, so that no digest is seen twice',
  bound: 'a stage bounds its own work; a quarantine by digest does not help here',
  async run(client) {
    const image = pngImage({ widthPx: 1, heightPx: 39_999_999 });
    await client.repeat(1000, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'image/png', variedPng(image, round)));
    });
  },
});
