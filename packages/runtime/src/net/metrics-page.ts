/** Metrics of a port. Requests share renderings, so that no client can keep the serving thread busy. */
import type { Answer } from './answer.js';
import {
  acceptsOpenMetrics,
  type Exemplar,
  OPEN_METRICS_END,
  OPEN_METRICS_TYPE,
  openMetricsByName,
  openMetricsText,
} from './open-metrics.js';

/** `exemplars`: for clients that accept OpenMetrics. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
  exemplars?(): readonly Exemplar[];
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
  /** `#text` as OpenMetrics, converted on the first request for it. */
  #openText: Promise<string> | undefined;
  /** Metrics of `#text` by name, in both forms, made on the first request for single metrics. */
  #byName: Promise<ReadonlyMap<string, string>> | undefined;
  #openByName: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(page: MetricsPage, nowMs: () => number = () => performance.now()) {
    this.#page = page;
    this.#nowMs = nowMs;
  }

  /** Returns all metrics, or those that the query lists in `name[]`. A histogram counts as one metric. */
  async answer(query: URLSearchParams, accept?: string): Promise<Answer> {
    const names = new Set(query.getAll('name[]'));
    this.#render();
    if (acceptsOpenMetrics(accept)) {
      const text = await (names.size === 0 ? this.#open() : this.#openTextOf(names));
      return { status: 200, contentType: OPEN_METRICS_TYPE, text };
    }
    const text = await (names.size === 0 ? this.#text : this.#textOf(names));
    return { status: 200, contentType: this.#page.contentType, text };
  }

  #open(): Promise<string> {
    this.#openText ??= this.#text.then((text) => openMetricsText(text, this.#page.exemplars?.()));
    return this.#openText;
  }

  #render(): void {
    const [oldest = 0] = this.#renderedAtMs;
    const nowMs = this.#nowMs();
    if (nowMs - oldest < WINDOW_MS) return;
    this.#renderedAtMs.shift();
    this.#renderedAtMs.push(nowMs);
    this.#text = this.#page.text();
    this.#openText = undefined;
    this.#byName = undefined;
    this.#openByName = undefined;
  }

  async #textOf(names: ReadonlySet<string>): Promise<string> {
    return joinMetrics(names, await this.#metricsByName());
  }

  async #openTextOf(names: ReadonlySet<string>): Promise<string> {
    this.#openByName ??= this.#metricsByName().then((metrics) => openMetricsByName(metrics, this.#page.exemplars?.()));
    return `${joinMetrics(names, await this.#openByName)}${OPEN_METRICS_END}`;
  }

  #metricsByName(): Promise<ReadonlyMap<string, string>> {
    this.#byName ??= this.#text.then(metricsByName);
    return this.#byName;
  }
}

function joinMetrics(names: ReadonlySet<string>, metrics: ReadonlyMap<string, string>): string {
  return [...names].map((name) => metrics.get(name) ?? '').join('');
}

/** Each metric begins with its HELP line. Help texts contain no line breaks. */
function metricsByName(page: string): ReadonlyMap<string, string> {
  const metrics = page.split(/^(?=# HELP )/m).map((text) => [text.split(' ', 3)[2] ?? '', text.trimEnd()] as const);
  return new Map(metrics.map(([name, text]) => [name, `${text}\n`]));
}
