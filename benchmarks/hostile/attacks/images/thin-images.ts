import { defineAttack, post, RUN } from '../../hostile-client.js';
import { pngImage } from '../../png-image.js';

export const attack = defineAttack(import.meta.url, {
  does: 'one PNG of 39 KB a second, of 1 × 39,999,999 or 39,999,999 × 1 pixels, with a deadline of a minute',
  bound: 'sides are bounded by the header: 422',
  async run(client) {
    const images = [pngImage({ widthPx: 1, heightPx: 39_999_999 }), pngImage({ widthPx: 39_999_999, heightPx: 1 })].map(
      (image) => post(`${RUN}?timeout_ms=60000`, 'image/png', image),
    );
    await client.repeat(1000, (round) => void client.socket().write(images[round % images.length] ?? ''));
  },
});
