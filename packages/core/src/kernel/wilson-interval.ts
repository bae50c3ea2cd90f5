/**
 * Wilson's interval (1927) of a fraction of `count` independent outcomes, which may be an effective number. `z`: quantile
 * of the standard error.
 */
export function wilsonInterval(
  fraction: number,
  count: number,
  z: number,
): { readonly low: number; readonly high: number } {
  const few = z ** 2 / count;
  const center = (fraction + few / 2) / (1 + few);
  const half = Math.sqrt(few * fraction * (1 - fraction) + few ** 2 / 4) / (1 + few);
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) };
}
