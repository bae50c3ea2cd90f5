/** Types of tensors that nobody declares, learned from those that have been seen: a dimension of several sizes is −1. */
import type { Tensor, TensorMap } from '@equipoise/core/model';
import type { TensorMetadata } from '@equipoise/open-inference-codec';

const MOST_TENSORS = 64;

type SeenType = Pick<Tensor, 'datatype' | 'shape'>;

/** The tensors seen so far at one place. */
export class LearnedTypes {
  readonly #types = new Map<string, SeenType>();
  #revision = 0;

  get all(): readonly TensorMetadata[] {
    return [...this.#types].map(([name, type]) => ({ name, ...type }));
  }

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /** Takes over what another process has seen. */
  adopt(all: readonly TensorMetadata[]): void {
    this.#types.clear();
    for (const { name, datatype, shape } of all) this.#set(name, { datatype: datatype as SeenType['datatype'], shape });
  }

  learn(tensors: TensorMap): void {
    for (const [name, { datatype, shape }] of Object.entries(tensors)) {
      const known = this.#types.get(name);
      if (known === undefined) {
        if (this.#types.size < MOST_TENSORS) this.#set(name, { datatype, shape });
      } else if (known.shape.length !== shape.length) this.#set(name, { datatype, shape: [-1] });
      else if (shape.some((size, i) => known.shape[i] !== -1 && known.shape[i] !== size)) {
        const merged = shape.map((size, i) => (known.shape[i] === size ? size : -1));
        this.#set(name, { datatype, shape: merged });
      }
    }
  }

  #set(name: string, type: SeenType): void {
    this.#types.set(name, type);
    this.#revision++;
  }
}
