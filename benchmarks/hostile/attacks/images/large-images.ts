import { defineAttack, post, RUN } from '../../hostile-client.js';
import { pngImage, variedPng } from '../../png-image.js';

export const attack = defineAttack(import.meta.url, {
  does: 'PNGs of the most pixels that the decoder allows, 6,300 × 6,300 in 40 KB, twice a second',
  bound: 'pixels are bounded so that an image takes a small part of the SLO',
  async run(client) {
    const image = pngImage({ widthPx: 6300, heightPx: 6300 });
    await client.repeat(500, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'image/png', variedPng(image, round)));
    });
  },
});
