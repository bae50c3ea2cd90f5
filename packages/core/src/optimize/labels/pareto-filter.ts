/**
 * Sorts indices by key without a comparator, which would be slow. Each key is a number whose low 32 bits hold its
 * index. That rounds the keys, so an insertion pass corrects their order.
 */

let packed = new Float64Array(1024);
let words = new Uint32Array(packed.buffer);

function reserve(count: number): void {
  if (packed.length >= count) return;
  packed = new Float64Array(count * 2);
  words = new Uint32Array(packed.buffer);
}

/** Sorts ascending by `keys[i · stride + offset]`, which must be non-negative. */
export function sortByKey(
  keys: Float64Array,
  count: number,
  { stride, offset }: { readonly stride: number; readonly offset: number },
): Uint32Array {
  reserve(count);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    packed[i] = keys[i * stride + offset] as number;
    words[2 * i] = i;
  }
  packed.subarray(0, count).sort();
  for (let i = 0; i < count; i++) {
    const index = words[2 * i] as number;
    const key = keys[index * stride + offset] as number;
    let at = i;
    while (at > 0 && (keys[(order[at - 1] as number) * stride + offset] as number) > key) {
      order[at] = order[at - 1] as number;
      at--;
    }
    order[at] = index;
  }
  return order;
}

/**
 * Removes each point that another point matches or beats in every coordinate (smaller is better). Two or three
 * coordinates use a sweep. With more, a point is compared only with the first `MOST_COMPARED` kept points: missing a
 * dominated point only costs time.
 */

const MOST_COMPARED = 160;

/** Steps with x ascending and y descending. */
class Staircase {
  #x = new Float64Array(64);
  #y = new Float64Array(64);
  #size = 0;

  /** True if the coordinates of a step are at most x and y. Otherwise adds the point. */
  covers(x: number, y: number): boolean {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#x[middle] as number) <= x) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && (this.#y[low - 1] as number) <= y) return true;
    this.#insert(low, x, y);
    return false;
  }

  #insert(at: number, x: number, y: number): void {
    const from = at > 0 && this.#x[at - 1] === x ? at - 1 : at;
    let to = at;
    while (to < this.#size && (this.#y[to] as number) >= y) to++;
    if (this.#size + 1 >= this.#x.length) this.#grow();
    this.#x.copyWithin(from + 1, to, this.#size);
    this.#y.copyWithin(from + 1, to, this.#size);
    this.#x[from] = x;
    this.#y[from] = y;
    this.#size += 1 - (to - from);
  }

  #grow(): void {
    const x = new Float64Array(this.#x.length * 2);
    const y = new Float64Array(this.#y.length * 2);
    x.set(this.#x);
    y.set(this.#y);
    this.#x = x;
    this.#y = y;
  }
}

export interface Points {
  readonly coordinates: Float64Array;
  readonly count: number;
  readonly dims: number;
}

function sweepTwo({ coordinates, count }: Points): Uint32Array {
  const order = sortByKey(coordinates, count, { stride: 2, offset: 0 });
  let kept = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const i of order) {
    const y = coordinates[2 * i + 1] as number;
    if (y >= least) continue;
    least = y;
    order[kept++] = i;
  }
  return order.subarray(0, kept);
}

function sweepThree({ coordinates, count }: Points): Uint32Array {
  const order = sortByKey(coordinates, count, { stride: 3, offset: 0 });
  const staircase = new Staircase();
  let kept = 0;
  for (const i of order)
    if (!staircase.covers(coordinates[3 * i + 1] as number, coordinates[3 * i + 2] as number)) order[kept++] = i;
  return order.subarray(0, kept);
}

function compareAll({ coordinates, count, dims }: Points, order: Uint32Array): Uint32Array {
  let kept = 0;
  for (let at = 0; at < count; at++) {
    const i = order[at] as number;
    const base = i * dims;
    const asked = Math.min(kept, MOST_COMPARED);
    let dominated = false;
    for (let k = 0; k < asked && !dominated; k++) {
      const other = (order[k] as number) * dims;
      let d = 0;
      while (d < dims && (coordinates[other + d] as number) <= (coordinates[base + d] as number)) d++;
      dominated = d === dims;
    }
    if (!dominated) order[kept++] = i;
  }
  return order.subarray(0, kept);
}

/**
 * Indices of the kept points. `orderOf` must order points so that no later point dominates an earlier one; default: by
 * first coordinate.
 */
export function paretoFilter(points: Points, orderOf?: () => Uint32Array): Uint32Array {
  const { coordinates, count, dims } = points;
  if (count === 0) return new Uint32Array(0);
  if (dims === 2) return sweepTwo(points);
  if (dims === 3) return sweepThree(points);
  return compareAll(points, orderOf?.() ?? sortByKey(coordinates, count, { stride: dims, offset: 0 }));
}
