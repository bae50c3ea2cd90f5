const BLOCKS = '▁▂▃▄▅▆▇█';

/** Block characters for the last `width` values, between `bottom` and their maximum; missing values are blank. */
export function sparkline(values: readonly (number | undefined)[], width: number, bottom = 0): string {
  const shown = values.slice(-width);
  const height = Math.max(1e-9, ...shown.map((value) => (value ?? bottom) - bottom));
  return shown
    .map((value) =>
      value === undefined
        ? ' '
        : BLOCKS[Math.min(BLOCKS.length - 1, Math.floor(((value - bottom) / height) * BLOCKS.length))],
    )
    .join('')
    .padEnd(width);
}
