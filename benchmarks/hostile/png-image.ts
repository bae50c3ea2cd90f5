/** PNG files that cost far more to decode than their size suggests. */
import { crc32, deflateSync } from 'node:zlib';

export interface PngShape {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly isInterlaced?: boolean;
  /** Unpacked size of the image data; default: that of a gray image. */
  readonly unpackedBytes?: number;
  /** Chunks before the image data. */
  readonly chunks?: readonly Buffer[];
}

const SIGNATURE = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), chunk.length - 4);
  return chunk;
}

/** A gray image with one byte a pixel, all black. */
export function pngImage({ widthPx, heightPx, isInterlaced = false, unpackedBytes, chunks = [] }: PngShape): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(widthPx, 0);
  header.writeUInt32BE(heightPx, 4);
  header.writeUInt8(8, 8);
  header.writeUInt8(isInterlaced ? 1 : 0, 12);
  // Interlaced rows are fewer than twice the height; each has a filter byte.
  const bytes = unpackedBytes ?? (widthPx + 1) * heightPx + (isInterlaced ? 2 * heightPx + 64 : 0);
  const data = pngChunk('IDAT', deflateSync(Buffer.alloc(bytes), { level: 9 }));
  return Buffer.concat([SIGNATURE, pngChunk('IHDR', header), ...chunks, data, pngChunk('IEND', Buffer.alloc(0))]);
}

/** The same picture in other bytes, so that a quarantine by digest does not recognize it. */
export function variedPng(image: Buffer, round: number): Buffer {
  const at = SIGNATURE.length + 25;
  return Buffer.concat([image.subarray(0, at), pngChunk('tEXt', Buffer.from(`a\0${round}`)), image.subarray(at)]);
}
