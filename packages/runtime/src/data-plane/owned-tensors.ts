/**
 * Large tensors that only the data plane holds: those of requests, and those that replicas gave. A stage gets copies of
 * its inputs, because it may run again. Once it has answered, the originals are garbage; they are freed at once, because
 * collecting them would stop the serving thread.
 */
import type { TensorMap } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { freeBuffer, isLarge, LARGE_BYTES } from './free-memory.js';
import { copyTensors } from './payload-algebra.js';

export class OwnedTensors {
  /** Bytes by buffer that no stage has answered yet. The items of a fan-out are views of one buffer. */
  readonly #unansweredBytes = new WeakMap<ArrayBufferLike, number>();

  /** Notes payloads that share memory only with each other. Each part of their tensors may then be in one payload only. */
  note(payloads: readonly TensorMap[]): void {
    const large = payloads.filter(mayBeLarge).flatMap(viewsOf).filter(isLarge);
    if (large.length === 0) return;
    const buffers = new Set(large.map(({ buffer }) => buffer));
    for (const [buffer, bytes] of payloads.flatMap((payload) => [...bytesByBuffer(viewsOf(payload))])) {
      if (buffers.has(buffer)) this.#unansweredBytes.set(buffer, (this.#unansweredBytes.get(buffer) ?? 0) + bytes);
    }
  }

  /** Copies for a runner, or the payload itself if the runner keeps it. It may still read this after another one's answer. */
  handOver(payload: TensorMap, { keepsTensors = false }: ModelRunner): TensorMap {
    if (!keepsTensors) return copyTensors(payload);
    for (const { buffer } of viewsOf(payload)) this.#unansweredBytes.delete(buffer);
    return payload;
  }

  /** Frees the inputs of an item that a stage has answered. */
  free(payload: TensorMap): void {
    if (!mayBeLarge(payload)) return;
    const views = viewsOf(payload).filter(({ buffer }) => this.#unansweredBytes.has(buffer));
    for (const [buffer, bytes] of bytesByBuffer(views)) {
      const leftBytes = (this.#unansweredBytes.get(buffer) ?? 0) - bytes;
      if (leftBytes > 0) this.#unansweredBytes.set(buffer, leftBytes);
      else freeBuffer(buffer);
    }
  }
}

/** False if all buffers are small. Most payloads are, so this allocates nothing. */
function mayBeLarge(tensors: TensorMap): boolean {
  for (const name in tensors) {
    const data = tensors[name]?.data;
    if (ArrayBuffer.isView(data) && data.buffer.byteLength >= LARGE_BYTES) return true;
  }
  return false;
}

function viewsOf(tensors: TensorMap): readonly ArrayBufferView[] {
  return Object.values(tensors).flatMap(({ data }) => (ArrayBuffer.isView(data) ? [data] : []));
}

/** Bytes of all views of each buffer. A view counts once, although an edge may pass it on under two names. */
function bytesByBuffer(views: readonly ArrayBufferView[]): ReadonlyMap<ArrayBufferLike, number> {
  const bytes = new Map<ArrayBufferLike, number>();
  const last = new Map<ArrayBufferLike, ArrayBufferView>();
  for (const view of views.toSorted((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength)) {
    const { buffer, byteOffset, byteLength } = view;
    const before = last.get(buffer);
    if (before?.byteOffset === byteOffset && before.byteLength === byteLength) continue;
    last.set(buffer, view);
    bytes.set(buffer, (bytes.get(buffer) ?? 0) + byteLength);
  }
  return bytes;
}
