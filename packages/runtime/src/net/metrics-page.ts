/** Metrics of a port. Requests share renderings, so that no client can keep the serving thread busy. */
import type { Answer } from './answer.js';

export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}

const MOST_RENDERINGS = 2;
const WINDOW_MS = 1000;

/** Renders a page at most twice in any second. Requests in between share the last rendering. */
export class SharedPage {
  readonly #page: MetricsPage;
  readonly #nowMs: () => number;
  /** Times of the last renderings, oldest first. */
  readonly #renderedAtMs: number[] = Array.from({ length: MOST_RENDERINGS }, () => Number.NEGATIVE_INFINITY);
  #text: Promise<string> = Promise.resolve('');
  /** Metrics of `#text` by name, parsed on the first request for single metrics. */
  #byName: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(page: MetricsPage, nowMs: () => number = () => performance.now()) {
    this.#page = page;
    this.#nowMs = nowMs;
  }

  /** Returns all metrics, or those that the query lists in `name[]`. A histogram counts as one metric. */
  async answer(query: URLSearchParams): Promise<Answer> {
    const names = new Set(query.getAll('name[]'));
    this.#render();
    const text = await (names.size === 0 ? this.#text : this.#textOf(names));
    return { status: 200, contentType: this.#page.contentType, text };
  }

  #render(): void {
    const [oldest = 0] = this.#renderedAtMs;
    const nowMs = this.#nowMs();
    if (nowMs - oldest < WINDOW_MS) return;
    this.#renderedAtMs.shift();
    this.#renderedAtMs.push(nowMs);
    this.#text = this.#page.text();
    this.#byName = undefined;
  }

  async #textOf(names: ReadonlySet<string>): Promise<string> {
    this.#byName ??= this.#text.then(metricsByName);
    const metrics = await this.#byName;
    return [...names].map((name) => metrics.get(name) ?? '').join('');
  }
}

/** Each metric begins with its HELP line. Help texts contain no line breaks. */
function metricsByName(page: string): ReadonlyMap<string, string> {
  const metrics = page.split(/^(?=# HELP )/m).map((text) => [text.split(' ', 3)[2] ?? '', text.trimEnd()] as const);
  return new Map(metrics.map(([name, text]) => [name, `${text}\n`]));
}
