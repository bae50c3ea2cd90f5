/** Rows of the report. */

/** A claim with its figure; an empty `bar` only reports the figure. */
export interface Bar {
  readonly claim: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

export const told = (claim: string, figure: string): Bar => ({ claim, figure, bar: '', met: true });
export const zero = (claim: string, count: number): Bar => ({
  claim,
  figure: String(count),
  bar: '0',
  met: count === 0,
});
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;

/** The quantile of a list. */
export function quantile(values: readonly number[], fraction: number): number {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(fraction * values.length) - 1)] ?? Number.NaN;
}
