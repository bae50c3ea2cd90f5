/** Types of tensors that nobody declares, learned from those that have been seen: a dimension of several sizes is −1. */
import type { Tensor, TensorMap } from '@equipoise/core/model';
import type { TensorMetadata } from '@equipoise/open-inference-codec';

const MOST_TENSORS = 64;

type SeenType = Pick<Tensor, 'datatype' | 'shape'>;

/** The tensors seen so far at one place. */
export class LearnedTypes {
  readonly #types = new Map<string, SeenType>();

  get all(): readonly TensorMetadata[] {
    return [...this.#types].map(([name, type]) => ({ name, ...type }));
  }

  learn(tensors: TensorMap): void {
    for (const [name, { datatype, shape }] of Object.entries(tensors)) {
      const known = this.#types.get(name);
      if (known === undefined) {
        if (this.#types.size < MOST_TENSORS) this.#types.set(name, { datatype, shape });
      } else if (known.shape.length !== shape.length) this.#types.set(name, { datatype, shape: [-1] });
      else if (shape.some((size, i) => known.shape[i] !== -1 && known.shape[i] !== size)) {
        const merged = shape.map((size, i) => (known.shape[i] === size ? size : -1));
        this.#types.set(name, { datatype, shape: merged });
      }
    }
  }
}
