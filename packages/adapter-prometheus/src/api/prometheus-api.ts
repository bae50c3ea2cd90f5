/**
 * The query API of Prometheus (HTTP API v1), also as Thanos, Mimir and VictoriaMetrics serve it. Answers are bounded in
 * bytes, series and time, and checked before use.
 */
import { AppError, boundedMessage } from '@equipoise/core/model';
import { HttpExchange, type HttpLimits, prometheusError } from './http-answer.js';
import { labelsOf, type RuleState, ruleStates, type ScrapeTarget, scrapeTargets } from './server-state.js';

export type Labels = Readonly<Record<string, string>>;

/** One result of an instant query. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** One result of a range query: points in order of time, with gaps where there was no sample. */
export interface Series {
  readonly labels: Labels;
  readonly points: readonly { readonly atEpochMs: number; readonly value: number }[];
}

export interface RangeWindow {
  readonly fromEpochMs: number;
  readonly toEpochMs: number;
  readonly stepMs: number;
}

export interface PrometheusOptions extends Partial<HttpLimits> {
  /** `http://HOST:PORT` or `https://HOST/PREFIX`, without `/api/v1`. */
  readonly url: string;
  /** Bearer token; read for every request, because tokens of service accounts change. */
  readonly token?: (() => Promise<string>) | undefined;
  /** Certificate authority in PEM format. */
  readonly ca?: string | undefined;
  readonly maxSeries?: number;
}

const defaults = { timeoutMs: 5_000, maxAnswerBytes: 16 * 1024 ** 2, maxSeries: 20_000 };
/** Limit of Prometheus itself. */
const MOST_POINTS = 11_000;

/** Of Prometheus while it starts or is overloaded, and of what forwards to it. */
const UNAVAILABLE: readonly number[] = [502, 503, 504];

/**
 * A part of the series would read as less load. So Thanos and VictoriaMetrics have to fail if one of their stores does
 * not answer. Prometheus ignores these fields.
 */
const WHOLE = { partial_response: 'false', deny_partial_response: '1' };

export class PrometheusApi {
  readonly url: URL;
  readonly #exchange: HttpExchange;
  readonly #token: PrometheusOptions['token'];
  readonly #maxSeries: number;

  /** Throws WRONG_USAGE for an address that is not one of a server. */
  constructor({ url, token, ca, ...limits }: PrometheusOptions) {
    this.url = serverUrl(url);
    const { timeoutMs, maxAnswerBytes, maxSeries } = { ...defaults, ...limits };
    this.#exchange = new HttpExchange(this.url, { timeoutMs, maxAnswerBytes }, ca);
    this.#token = token;
    this.#maxSeries = maxSeries;
  }

  /** Results at an instant, by default the time of the server. Values that are no numbers (NaN) stay. */
  async query(expression: string, atEpochMs?: number, timeoutMs?: number): Promise<readonly Sample[]> {
    const form = new URLSearchParams({ query: expression, ...WHOLE });
    if (atEpochMs !== undefined) form.set('time', (atEpochMs / 1000).toFixed(3));
    const data = await this.#data('query', form, timeoutMs);
    if (data['resultType'] === 'scalar') return [{ labels: {}, value: numberOf(pair(data['result'])[1]) }];
    return this.#results(data).map(({ metric, value }) => ({ labels: metric, value: numberOf(pair(value)[1]) }));
  }

  async queryRange(expression: string, { fromEpochMs, toEpochMs, stepMs }: RangeWindow): Promise<readonly Series[]> {
    const points = (toEpochMs - fromEpochMs) / stepMs;
    if (!(stepMs > 0 && points >= 0 && points < MOST_POINTS)) {
      const message = `a range query has at most ${MOST_POINTS} points; this one has ${Math.ceil(points)}: choose a longer step`;
      throw new AppError('WRONG_USAGE', message);
    }
    const form = new URLSearchParams({
      query: expression,
      ...WHOLE,
      start: (fromEpochMs / 1000).toFixed(3),
      end: (toEpochMs / 1000).toFixed(3),
      step: (stepMs / 1000).toFixed(3),
    });
    return this.#results(await this.#data('query_range', form)).map(({ metric, values }) => ({
      labels: metric,
      points: values.map((each) => {
        const [atS, value] = pair(each);
        return { atEpochMs: Number(atS) * 1000, value: numberOf(value) };
      }),
    }));
  }

  /** Targets of all jobs, with those that relabeling dropped. */
  async targets(): Promise<readonly ScrapeTarget[]> {
    return scrapeTargets(await this.#data('targets?state=any'));
  }

  async rules(): Promise<readonly RuleState[]> {
    return ruleStates(await this.#data('rules'));
  }

  close(): void {
    this.#exchange.close();
  }

  #results(data: Readonly<Record<string, unknown>>): readonly RawResult[] {
    const { result } = data;
    if (!Array.isArray(result)) throw this.#notPrometheus('an answer has no list of results');
    if (result.length > this.#maxSeries) {
      const message = `a query has ${result.length} results, at most ${this.#maxSeries} are read; narrow its labels`;
      throw prometheusError('too-large', message);
    }
    return result.map((each: unknown): RawResult => {
      if (!isRecord(each) || !isRecord(each['metric'])) throw this.#notPrometheus('a result has no labels');
      const { metric, value, values = [] } = each;
      if (!Array.isArray(values)) throw this.#notPrometheus('the points of a result are no list');
      return { metric: labelsOf(metric), value, values };
    });
  }

  async #data(path: string, form?: URLSearchParams, timeoutMs?: number): Promise<Readonly<Record<string, unknown>>> {
    const token = await this.#token?.();
    const question = { path: `api/v1/${path}`, token, timeoutMs, ...(form !== undefined && { form }) };
    const { status, location, text } = await this.#exchange.ask(question);
    const { href } = this.url;
    if (status === 401) {
      throw prometheusError('unauthenticated', `${href} answers 401: it wants a bearer token that it knows`);
    }
    if (status === 403) throw prometheusError('forbidden', `${href} answers 403: the token may not query`);
    if (status >= 300 && status < 400) {
      const where = location ?? 'another address';
      const message = boundedMessage(`${href} redirects: name the address of Prometheus itself, not ${where}`);
      throw prometheusError('redirected', message);
    }
    const answer = parsed(text);
    if (UNAVAILABLE.includes(status)) {
      const why = String(answer?.['error'] ?? 'it is starting, stopping or overloaded');
      throw prometheusError('unavailable', boundedMessage(`${href} answers ${status}: ${why}`));
    }
    if (answer === undefined || !('status' in answer)) throw this.#notPrometheus(`it answers ${status} without JSON`);
    if (answer['isPartial'] === true)
      throw prometheusError('refused', `${href} answers with a part of its series only`);
    if (answer['status'] === 'success' && isRecord(answer['data'])) return answer['data'];
    const { errorType = 'error', error = `status ${status}` } = answer;
    // It reaches the status of a pipeline, and a server may repeat a long query.
    throw prometheusError(
      'refused',
      boundedMessage(`${href} refuses a query (${String(errorType)}): ${String(error)}`),
    );
  }

  #notPrometheus(why: string): AppError {
    const message = `what answers at ${this.url.href} is no Prometheus: ${why}. Expected an address such as http://prometheus:9090`;
    return prometheusError('not-prometheus', message);
  }
}

interface RawResult {
  readonly metric: Labels;
  readonly value: unknown;
  readonly values: readonly unknown[];
}

function serverUrl(text: string): URL {
  const wrong = (why: string): AppError =>
    new AppError('WRONG_USAGE', `the address of Prometheus ${why}; expected one such as http://prometheus:9090`);
  if (!URL.canParse(text)) throw wrong(`is no URL: ${text}`);
  const url = new URL(text);
  if (!['http:', 'https:'].includes(url.protocol)) throw wrong(`has the scheme ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw wrong('has a password; use a token file instead');
  if (url.search !== '' || url.hash !== '') throw wrong('has a query or a fragment');
  url.pathname = `${url.pathname.replace(/\/(api\/v1\/?)?$/, '')}/`;
  return url;
}

/** Prometheus writes numbers as text, to keep NaN and infinities. NaN for anything else. */
function numberOf(value: unknown): number {
  if (value === '+Inf') return Number.POSITIVE_INFINITY;
  if (value === '-Inf') return Number.NEGATIVE_INFINITY;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

const pair = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
