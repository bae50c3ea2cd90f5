/**
 * The real inputs of a stage, dealt out in turn for as long as a measurement lasts. A runner owns the batch it is given, so every
 * batch is a copy; ask for it before the timed section begins.
 */
import { invariant, type TensorMap } from '@equipoise/core/model';
import { copyTensors } from '../data-plane/payload-algebra.js';

/** Deals captured items (at least one), the first again after the last. */
export class InputCycle {
  readonly #items: readonly TensorMap[];
  #next = 0;

  constructor(items: readonly TensorMap[]) {
    invariant(items.length > 0, 'a stage is measured with at least one input');
    this.#items = items;
  }

  nextBatch(batchSize: number): readonly TensorMap[] {
    return Array.from({ length: batchSize }, () => {
      const item = this.#items[this.#next] as TensorMap;
      this.#next = (this.#next + 1) % this.#items.length;
      return copyTensors(item);
    });
  }
}
