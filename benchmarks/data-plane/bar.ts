/** A claim with its figure and bar. */
export interface Bar {
  readonly claim: string;
  readonly figure: string;
  /** Empty if the figure has no bar. */
  readonly bar: string;
  readonly met: boolean;
}

/** Bar on a figure with two bounds. */
export function bar(claim: string, value: number, digits: number, [least, most]: readonly [number, number]): Bar {
  const met = value >= least && value <= most;
  const text = Number.isFinite(most) ? `≤ ${most}` : `≥ ${least}`;
  return { claim, figure: value.toFixed(digits), bar: text, met };
}

/** A figure without a bar. */
export function told(claim: string, figure: string): Bar {
  return { claim, figure, bar: '', met: true };
}

/** Bar on a figure with a minimum. */
export function atLeast(claim: string, value: number, digits: number, least: number): Bar {
  return bar(claim, value, digits, [least, Number.POSITIVE_INFINITY]);
}

/** Bar on a figure with a maximum. */
export function atMost(claim: string, value: number, digits: number, most: number): Bar {
  return bar(claim, value, digits, [Number.NEGATIVE_INFINITY, most]);
}

/** Bar on a fact. */
export function holds(claim: string, fact: boolean): Bar {
  return { claim, figure: fact ? 'yes' : 'no', bar: 'yes', met: fact };
}

/** Missed bars, each in one line. */
export function unmet(bars: readonly Bar[]): readonly string[] {
  return bars.filter(({ met }) => !met).map(({ claim, figure, bar }) => `${claim}: ${figure} (bar: ${bar})`);
}
