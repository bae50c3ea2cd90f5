/**
 * Large tensors that replicas gave. A stage gets copies of its inputs, because it may run again. Once it has answered,
 * the originals are garbage; they are freed at once, because collecting them would stop the serving thread.
 */
import type { TensorMap } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { freeBuffer, isFreeable } from './free-memory.js';

export class GivenTensors {
  /** Bytes by buffer that no stage has answered yet. The items of a fan-out are views of one buffer. */
  readonly #unansweredBytes = new WeakMap<ArrayBufferLike, number>();

  /** Notes the output of a replica, unless the runner may still hold it. Only one payload may then hold each part. */
  note(output: TensorMap, { givesTensors }: ModelRunner): void {
    if (!givesTensors) return;
    for (const view of viewsOf(output))
      if (isFreeable(view)) this.#unansweredBytes.set(view.buffer, view.buffer.byteLength);
  }

  /** Frees the inputs of an item that a runner has answered, unless it got no copies and may still read them. */
  free(payload: TensorMap, { keepsTensors }: ModelRunner): void {
    if (keepsTensors) return;
    const views = viewsOf(payload);
    for (const [index, { buffer, byteOffset, byteLength }] of views.entries()) {
      const unansweredBytes = this.#unansweredBytes.get(buffer);
      // An edge may pass on a tensor under two names.
      const isAgain = () => views.findIndex((each) => each.buffer === buffer && each.byteOffset === byteOffset) < index;
      if (unansweredBytes === undefined || isAgain()) continue;
      if (byteLength < unansweredBytes) this.#unansweredBytes.set(buffer, unansweredBytes - byteLength);
      else freeBuffer(buffer);
    }
  }
}

function viewsOf(tensors: TensorMap): readonly ArrayBufferView[] {
  return Object.values(tensors).flatMap(({ data }) => (ArrayBuffer.isView(data) ? [data] : []));
}
