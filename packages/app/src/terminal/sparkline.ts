/** A row of values as one line of block characters. */
const BLOCKS = '▁▂▃▄▅▆▇█';

/** The last `width` values between 0 and the largest of them; missing values are blank. */
export function sparkline(values: readonly (number | undefined)[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(1e-9, ...shown.map((value) => value ?? 0));
  return shown
    .map((value) =>
      value === undefined ? ' ' : BLOCKS[Math.min(BLOCKS.length - 1, Math.floor((value / top) * BLOCKS.length))],
    )
    .join('')
    .padEnd(width);
}
