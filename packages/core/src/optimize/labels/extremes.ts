/** Smallest and largest of flat arrays; ±Infinity for none. */

/** The smallest number. */
export function smallest(values: Float64Array | undefined): number {
  let least = Number.POSITIVE_INFINITY;
  if (values !== undefined) for (let i = 0; i < values.length; i++) least = Math.min(least, values[i] as number);
  return least;
}

/** The largest number. */
export function largest(values: Float64Array | undefined): number {
  let most = Number.NEGATIVE_INFINITY;
  if (values !== undefined) for (let i = 0; i < values.length; i++) most = Math.max(most, values[i] as number);
  return most;
}
