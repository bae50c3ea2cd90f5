/**
 * Decodes a JPEG or PNG page into gray pixels: `image` UINT8 [bytes] becomes `page` UINT8 [height, width], with a longer
 * side of at most 960 px.
 */
import { AppError, type LoadedStage, type TensorMap } from '@equipoise/core';
import sharp from 'sharp';

const longestSide = 960;
const mostPixels = 16_777_216;
const longestDecodeSeconds = 2;

/** Loads the decoder; `run` throws `INVALID_INPUT` for an unreadable image. */
export function load(): LoadedStage {
  sharp.concurrency(1);
  sharp.cache(false);
  return { run: (batch) => Promise.all(batch.map(decode)) };
}

async function decode(item: TensorMap): Promise<TensorMap> {
  const bytes = item['image']?.data;
  try {
    const { data, info } = await sharp(bytes as Uint8Array, { limitInputPixels: mostPixels, failOn: 'truncated' })
      .timeout({ seconds: longestDecodeSeconds })
      .flatten({ background: '#ffffff' })
      .resize(longestSide, longestSide, { fit: 'inside', withoutEnlargement: true })
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { page: { datatype: 'UINT8', shape: [info.height, info.width], data: new Uint8Array(data) } };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_INPUT', `The page cannot be decoded (${reason}): an intact JPEG or PNG expected.`, {
      cause,
    });
  }
}
