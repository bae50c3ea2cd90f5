/**
 * Frees the memory of large buffers before the next garbage collection. Bodies that arrive during collections are in
 * the old generation, where they would be kept until the heap has grown by more than a hundred MB.
 */
import { MessageChannel } from 'node:worker_threads';

const LARGE_BYTES = 16 * 1024;

const { port1: nowhere } = new MessageChannel();
nowhere.close();

/** Frees a buffer, which is empty afterwards: sending to a closed port frees memory at once. */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer.byteLength > 0) nowhere.postMessage(undefined, [buffer as ArrayBuffer]);
}

/** Frees a chunk of a body if it is large and does not share its memory. */
export function freeChunk({ buffer, byteLength }: Uint8Array): void {
  if (byteLength >= LARGE_BYTES && byteLength === buffer.byteLength) freeBuffer(buffer);
}
