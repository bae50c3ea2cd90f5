import { invariant, type TensorMap } from '@equipoise/core/model';
import { copyTensors } from '../data-plane/payload-algebra.js';

/**
 * Returns copies of captured items (at least one) in turn, because a runner owns its batch. Take a batch before the
 * timed section.
 */
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
