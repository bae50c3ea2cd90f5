/** FIFO queue in a reused array, which never shrinks: no allocation in steady state. */

/** Values must not be `undefined`. */
export class RingBuffer<T> {
  #places: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  first(): T | undefined {
    return this.#places[this.#first];
  }

  last(): T | undefined {
    return this.#places[(this.#first + this.#length - 1) & (this.#places.length - 1)];
  }

  /** `index` counts from the oldest value. */
  at(index: number): T | undefined {
    return index < this.#length ? this.#places[(this.#first + index) & (this.#places.length - 1)] : undefined;
  }

  push(value: T): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[(this.#first + this.#length) & (this.#places.length - 1)] = value;
    this.#length += 1;
  }

  shift(): T | undefined {
    const value = this.#places[this.#first];
    if (value === undefined) return undefined;
    this.#places[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#places.length - 1);
    this.#length -= 1;
    return value;
  }

  pop(): T | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    const place = (this.#first + this.#length) & (this.#places.length - 1);
    const value = this.#places[place];
    this.#places[place] = undefined;
    return value;
  }

  retain(keep: (value: T) => boolean): void {
    for (let left = this.#length; left > 0; left--) {
      const value = this.shift() as T;
      if (keep(value)) this.push(value);
    }
  }

  #grow(): void {
    const { length } = this.#places;
    const places = new Array<T | undefined>(2 * length).fill(undefined);
    for (let i = 0; i < length; i++) places[i] = this.#places[(this.#first + i) & (length - 1)];
    this.#places = places;
    this.#first = 0;
  }
}
