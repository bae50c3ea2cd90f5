/** A claim with its figure and the bar that it is held to. */
export interface Bar {
  readonly claim: string;
  readonly figure: string;
  /** Empty where the figure is only told. */
  readonly bar: string;
  readonly met: boolean;
}

/** A figure that must lie within bounds. */
export function bar(claim: string, value: number, digits: number, [least, most]: readonly [number, number]): Bar {
  const met = value >= least && value <= most;
  const text = Number.isFinite(most) ? `≤ ${most}` : `≥ ${least}`;
  return { claim, figure: value.toFixed(digits), bar: text, met };
}

/** A figure that has no bar. */
export function told(claim: string, figure: string): Bar {
  return { claim, figure, bar: '', met: true };
}

/** A figure that must be at least `least`. */
export function atLeast(claim: string, value: number, digits: number, least: number): Bar {
  return bar(claim, value, digits, [least, Number.POSITIVE_INFINITY]);
}

/** A figure that must be at most `most`. */
export function atMost(claim: string, value: number, digits: number, most: number): Bar {
  return bar(claim, value, digits, [Number.NEGATIVE_INFINITY, most]);
}

/** A fact that must hold. */
export function holds(claim: string, fact: boolean): Bar {
  return { claim, figure: fact ? 'yes' : 'no', bar: 'yes', met: fact };
}

/** The bars that are not met, each in one line. */
export function unmet(bars: readonly Bar[]): readonly string[] {
  return bars.filter(({ met }) => !met).map(({ claim, figure, bar }) => `${claim}: ${figure} (bar: ${bar})`);
}
