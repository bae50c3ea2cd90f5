/**
 * Indices in the order of their keys. Comparators are slow, so each key carries its index in the low half of its bits through the native
 * sort of numbers; what that rounds (20 bits of mantissa stay) one insertion pass puts right.
 */

let packed = new Float64Array(1024);
let words = new Uint32Array(packed.buffer);

function reserve(count: number): void {
  if (packed.length >= count) return;
  packed = new Float64Array(count * 2);
  words = new Uint32Array(packed.buffer);
}

/** Positions 0…count−1 ascending by `keys[i · stride + offset]`, which must not be negative. */
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
