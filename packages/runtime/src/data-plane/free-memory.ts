/**
 * Frees the memory of large buffers before the next garbage collection. Bodies that arrive during collections are in
 * the old generation, where they would be kept until the heap has grown by more than a hundred MB. V8 also collects the
 * whole heap each time that 64 MB of buffers were dropped, which stops the serving thread for 15 to 50 ms.
 */
import { MessageChannel } from 'node:worker_threads';

export const LARGE_BYTES = 16 * 1024;

const { port1: nowhere } = new MessageChannel();
nowhere.close();

/** Frees a buffer, which is empty afterwards: sending to a closed port frees memory at once. */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer.byteLength > 0) nowhere.postMessage(undefined, [buffer as ArrayBuffer]);
}

/** True if it pays to free the memory of a view. Large views of bodies share no memory with other requests. */
export const isLarge = ({ buffer, byteLength }: ArrayBufferView): boolean =>
  byteLength >= LARGE_BYTES && !(buffer instanceof SharedArrayBuffer);

/** Frees a chunk of a body if it is large and does not share its memory. */
export function freeChunk(chunk: Uint8Array): void {
  if (isLarge(chunk) && chunk.byteLength === chunk.buffer.byteLength) freeBuffer(chunk.buffer);
}
