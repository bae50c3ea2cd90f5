/**
 * Large tensors that replicas gave. A stage gets copies of its inputs, because it may run again. Once it has answered,
 * the originals are garbage; they are freed at once, because collecting them would stop the serving thread.
 */
import type { TensorMap } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { freeBuffer, isFreeable } from './free-memory.js';

export class GivenTensors {
  readonly #views = new WeakSet<ArrayBufferView>();

  /** Notes the output of a replica, unless the runner may still hold it. Only one payload may then hold its tensors. */
  note(output: TensorMap, { givesTensors }: ModelRunner): void {
    if (givesTensors) for (const view of largeViews(output)) this.#views.add(view);
  }

  /** Frees the inputs of an item that a runner has answered, unless it got no copies and may still read them. */
  free(payload: TensorMap, { keepsTensors }: ModelRunner): void {
    if (keepsTensors) return;
    for (const view of largeViews(payload)) if (this.#views.has(view)) freeBuffer(view.buffer);
  }
}

function largeViews(tensors: TensorMap): readonly ArrayBufferView[] {
  return Object.values(tensors).flatMap(({ data }) => (ArrayBuffer.isView(data) && isFreeable(data) ? [data] : []));
}
