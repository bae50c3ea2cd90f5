/**
 * Series as their programs write them, from events whose times and durations are known. Each sample of a counter counts
 * the events before a scrape. So the truth of each figure is a count over the events.
 */

export interface CountedEvent {
  readonly atMs: number;
  readonly durationMs: number;
}

type Labels = Readonly<Record<string, string>>;

/** Start of all recordings; blocks of Prometheus begin at even hours. */
export const START_EPOCH_MS = Date.UTC(2026, 0, 5, 8);

export interface Scrapes {
  readonly everyMs: number;
  /** Times are in ms since `START_EPOCH_MS`. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Targets are not scraped at the same time. */
  readonly offsetMs?: number;
}

export class Recording {
  readonly #lines: string[] = [];

  /** Cumulative sum of `weight` over the events before each scrape; events are in order of time. */
  counter(name: string, labels: Labels, events: readonly CountedEvent[], scrapes: Scrapes, weight = oneEach): this {
    let [next, sum] = [0, 0];
    this.#each(name, labels, scrapes, (atMs) => {
      for (let event = events[next]; event !== undefined && event.atMs <= atMs; event = events[++next])
        sum += weight(event);
      return sum;
    });
    return this;
  }

  /** `unitMs`: 1000 for a histogram of seconds. */
  histogram(
    name: string,
    labels: Labels,
    { bounds, unitMs }: { readonly bounds: readonly number[]; readonly unitMs: number },
    events: readonly CountedEvent[],
    scrapes: Scrapes,
  ): this {
    for (const bound of [...bounds, Number.POSITIVE_INFINITY]) {
      const within = events.filter(({ durationMs }) => durationMs / unitMs <= bound);
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
      this.counter(`${name}_bucket`, { ...labels, le }, within, scrapes);
    }
    this.counter(`${name}_sum`, labels, events, scrapes, ({ durationMs }) => durationMs / unitMs);
    return this.counter(`${name}_count`, labels, events, scrapes);
  }

  gauge(name: string, labels: Labels, value: (atMs: number) => number, scrapes: Scrapes): this {
    this.#each(name, labels, scrapes, value);
    return this;
  }

  /** OpenMetrics with timestamps, as `promtool tsdb create-blocks-from openmetrics` reads it. */
  get text(): string {
    return `${this.#lines.join('\n')}\n# EOF\n`;
  }

  #each(name: string, labels: Labels, scrapes: Scrapes, value: (atMs: number) => number): void {
    const { everyMs, fromMs, untilMs, offsetMs = 0 } = scrapes;
    const written = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
    for (let atMs = fromMs + offsetMs; atMs <= untilMs; atMs += everyMs) {
      const atS = ((START_EPOCH_MS + atMs) / 1000).toFixed(3);
      this.#lines.push(`${name}{${written.join(',')}} ${value(atMs)} ${atS}`);
    }
  }
}

const oneEach = (_: CountedEvent): number => 1;

/** Poisson arrivals at `rps(t)` (t in ms), each with a duration. The caller gives random numbers from 0 to 1. */
export function poissonEvents(
  rps: (atMs: number) => number,
  untilMs: number,
  random: () => number,
  durationMs: () => number,
): readonly CountedEvent[] {
  const events: CountedEvent[] = [];
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random()) * 1000) / rps(atMs);
    if (atMs > untilMs) return events;
    events.push({ atMs, durationMs: durationMs() });
  }
}

/** Events per second in the window before an instant. */
export function trueRps(events: readonly CountedEvent[], atMs: number, windowMs: number): number {
  return (within(events, atMs, windowMs).length * 1000) / windowMs;
}

export function trueMeanMs(events: readonly CountedEvent[], atMs: number, windowMs: number): number {
  const counted = within(events, atMs, windowMs);
  return counted.reduce((sum, { durationMs }) => sum + durationMs, 0) / counted.length;
}

const within = (events: readonly CountedEvent[], atMs: number, windowMs: number): readonly CountedEvent[] =>
  events.filter((event) => event.atMs > atMs - windowMs && event.atMs <= atMs);
