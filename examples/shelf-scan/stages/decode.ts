/**
 * Decodes a JPEG or PNG into a gray scene, fitted into 224 x 224 px with gray borders. `image` UINT8 [bytes] becomes
 * `image` FP32 [224, 224], value = gray / 127.5 - 1.
 */
import { AppError, type LoadedStage, type TensorMap } from '@equipoise/core';
import sharp from 'sharp';
import { scenePx } from '../vision/cut-crop.js';

const mostPixels = 40_000_000;
const signatures = [
  [0xff, 0xd8, 0xff],
  [0x89, 0x50, 0x4e, 0x47],
];

/** Loads the decoder; `run` throws `INVALID_INPUT` for an unreadable image. */
export function load(): LoadedStage {
  sharp.concurrency(1);
  sharp.cache(false);
  return { run: (batch) => Promise.all(batch.map(decode)) };
}

async function decode(item: TensorMap): Promise<TensorMap> {
  const bytes = item['image']?.data;
  if (!(bytes instanceof Uint8Array) || !signatures.some((signature) => startsWith(bytes, signature))) {
    throw new AppError('INVALID_INPUT', 'The image is not a JPEG or PNG file: JPEG or PNG expected.');
  }
  const gray = await grayPixels(bytes);
  return { image: { datatype: 'FP32', shape: [scenePx, scenePx], data: normalized(gray) } };
}

async function grayPixels(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await sharp(bytes, { limitInputPixels: mostPixels, failOn: 'truncated' })
      .flatten({ background: '#808080' })
      .resize(scenePx, scenePx, { fit: 'contain', background: '#808080' })
      .toColourspace('b-w')
      .raw()
      .toBuffer();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_INPUT', `The image cannot be decoded (${reason}): an intact JPEG or PNG expected.`, {
      cause,
    });
  }
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, index) => bytes[index] === byte);
}

function normalized(gray: Uint8Array): Float32Array {
  const values = new Float32Array(gray.length);
  // `Float32Array.from` with a function costs more than decoding the JPEG.
  for (let index = 0; index < gray.length; index++) values[index] = (gray[index] ?? 0) / 127.5 - 1;
  return values;
}
