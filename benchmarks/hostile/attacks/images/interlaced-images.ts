import { defineAttack, post, RUN } from '../../hostile-client.js';
import { pngImage, variedPng } from '../../png-image.js';

export const attack = defineAttack(import.meta.url, {
  does: 'one interlaced PNG of 6,324 × 6,324 pixels a second, which has to be unpacked as a whole',
  bound: 'interlaced images are refused by the header: 422',
  async run(client) {
    const image = pngImage({ widthPx: 6324, heightPx: 6324, isInterlaced: true });
    await client.repeat(1000, (round) => {
      client.socket().write(post(`${RUN}?timeout_ms=60000`, 'image/png', variedPng(image, round)));
    });
  },
});
