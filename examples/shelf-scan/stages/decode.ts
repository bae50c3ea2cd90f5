/**
 * Decodes a JPEG or PNG into a gray scene, fitted into 224 x 224 px with gray borders. `image` UINT8 [bytes] becomes
 * `image` FP32 [224, 224], value = gray / 127.5 - 1.
 */
import { AppError, type LoadedStage, type TensorMap } from '@equipoise/core';
import sharp, { type Sharp } from 'sharp';
import { scenePx } from '../vision/cut-crop.js';

/** JPEG may be larger, because the decoder scales it down. */
const mostPixels = { jpeg: 16_777_216, png: 4_194_304 };
const longestSide = 8192;
const longestDecodeSeconds = 1;
const signatures = {
  jpeg: [0xff, 0xd8, 0xff],
  png: [0x89, 0x50, 0x4e, 0x47],
};
type Format = keyof typeof signatures;

/** Loads the decoder; `run` throws `INVALID_INPUT` for an unreadable image. */
export function load(): LoadedStage {
  sharp.concurrency(1);
  sharp.cache(false);
  return { run: (batch) => Promise.all(batch.map(decode)) };
}

async function decode(item: TensorMap): Promise<TensorMap> {
  const bytes = item['image']?.data;
  const format = bytes instanceof Uint8Array ? formatOf(bytes) : undefined;
  if (format === undefined)
    throw new AppError('INVALID_INPUT', 'The image is not a JPEG or PNG file: JPEG or PNG expected.');
  const image = sharp(bytes as Uint8Array, { failOn: 'truncated' });
  const { width, height, isProgressive } = await readable(() => image.metadata());
  checkCost({ format, width, height, isProgressive });
  const gray = await readable(() => grayPixels(image));
  return { image: { datatype: 'FP32', shape: [scenePx, scenePx], data: normalized(gray) } };
}

interface Header {
  readonly format: Format;
  readonly width: number;
  readonly height: number;
  readonly isProgressive: boolean;
}

/** Rejects images by header, because kilobytes may take minutes to decode. */
function checkCost({ format, width, height, isProgressive }: Header): void {
  const most = mostPixels[format];
  if (Math.max(width, height) > longestSide || width * height > most) {
    throw new AppError(
      'INVALID_INPUT',
      `The image has ${width} x ${height} pixels: sides of at most ${longestSide} and ${most} pixels in all expected.`,
    );
  }
  if (isProgressive)
    throw new AppError('INVALID_INPUT', 'The image is interlaced or progressive: rows from top to bottom expected.');
}

function grayPixels(image: Sharp): Promise<Uint8Array> {
  return image
    .timeout({ seconds: longestDecodeSeconds })
    .flatten({ background: '#808080' })
    .resize(scenePx, scenePx, { fit: 'contain', background: '#808080' })
    .toColourspace('b-w')
    .raw()
    .toBuffer();
}

async function readable<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_INPUT', `The image cannot be decoded (${reason}): an intact JPEG or PNG expected.`, {
      cause,
    });
  }
}

function formatOf(bytes: Uint8Array): Format | undefined {
  return (['jpeg', 'png'] as const).find((format) => signatures[format].every((byte, i) => bytes[i] === byte));
}

function normalized(gray: Uint8Array): Float32Array {
  const values = new Float32Array(gray.length);
  // `Float32Array.from` with a function costs more than decoding the JPEG.
  for (let index = 0; index < gray.length; index++) values[index] = (gray[index] ?? 0) / 127.5 - 1;
  return values;
}
