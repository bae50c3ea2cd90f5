/**
 * The value at `rank` (0: the smallest) of unsorted numbers, by quickselect (Hoare 1961). It reorders `values`, in linear
 * time on average.
 */
export function orderStatistic(values: Float64Array, rank: number): number {
  let first = 0;
  let last = values.length - 1;
  while (first < last) {
    const [below, above] = partition(values, first, last);
    if (rank <= below) last = below;
    else if (rank >= above) first = above;
    else break;
  }
  return values[rank] as number;
}

/** Ends of the two parts: values up to the first are at most the pivot, those from the second on at least. */
function partition(values: Float64Array, first: number, last: number): readonly [number, number] {
  const pivot = middleOf(values[first] as number, values[(first + last) >>> 1] as number, values[last] as number);
  let i = first;
  let j = last;
  for (;;) {
    while ((values[i] as number) < pivot) i++;
    while ((values[j] as number) > pivot) j--;
    if (i > j) return [j, i];
    const swapped = values[i] as number;
    values[i++] = values[j] as number;
    values[j--] = swapped;
    // Values between the parts equal the pivot.
    if (i > j) return [j, i];
  }
}

const middleOf = (a: number, b: number, c: number): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
