/**
 * `GET /metrics` of the serving port. The operator of a cluster asks with `wait_ms`: the answer comes after that time, or
 * as soon as more requests arrive in a window than `most` allows. So the operator hears of a burst at once, although it
 * asks rarely. `seconds` adds the arrivals of the last whole seconds as a comment, which Prometheus ignores.
 */
import { detectBurst } from '@equipoise/core/control';
import { AppError, type ArrivalEnvelope } from '@equipoise/core/model';
import type { CancelSignal } from '../../data-plane/cancellation.js';
import type { Answer } from '../../net/answer.js';
import type { SharedPage } from '../../net/metrics-page.js';
import type { ServedPipeline } from '../served-pipeline.js';
import type { Endpoint, RestRequest } from './endpoint.js';

const MOST_WAIT_MS = 15_000;
const MOST_SECONDS = 600;
const MOST_WINDOWS = 16;
/** Requests that wait at the same time; others are answered at once. */
const MOST_WAITING = 16;
/** The shortest window of a burst. */
const LOOK_MS = 250;

interface MetricsQuestion {
  readonly waitMs: number;
  readonly most: ArrivalEnvelope;
  readonly seconds: number;
}

export function metricsEndpoint(page: SharedPage): Endpoint {
  let waiting = 0;
  return async (request) => {
    const { waitMs, most, seconds } = questionOf(request.query);
    const accept = acceptOf(request);
    const [pipeline, ...others] = wholePipelines(request);
    // The arrivals of several pipelines would be mixed.
    if (pipeline === undefined || others.length > 0) return page.answer(request.query, accept);
    if (waitMs > 0 && waiting < MOST_WAITING) {
      waiting += 1;
      await waitFor({ pipeline, waitMs, most }, request).finally(() => {
        waiting -= 1;
      });
    }
    // OpenMetrics has no comments.
    if (seconds > 0) return withSeconds(await page.answer(request.query), pipeline, seconds);
    return page.answer(request.query, accept);
  };
}

const acceptOf = ({ headers: { accept } }: RestRequest): string | undefined =>
  typeof accept === 'string' ? accept : undefined;

/** Pipelines without the models of their sources. */
const wholePipelines = ({ pipelines }: RestRequest): readonly ServedPipeline[] =>
  [...pipelines.values()].filter(({ isPart }) => !isPart);

function withSeconds(answer: Answer, pipeline: ServedPipeline, seconds: number): Answer {
  const { last, sinceMs, counts } = pipeline.lastSeconds(seconds);
  return { ...answer, text: `${answer.text}# arrivals ${[last, Math.round(sinceMs), ...counts].join(' ')}\n` };
}

/** Resolves after the time, at a burst, when the server ends, or when the client is gone. */
function waitFor(
  { pipeline, waitMs, most }: { pipeline: ServedPipeline; waitMs: number; most: ArrivalEnvelope },
  { signal, isServing }: { readonly signal: CancelSignal; readonly isServing: () => boolean },
): Promise<void> {
  const untilMs = pipeline.nowMs + waitMs;
  return new Promise((resolve) => {
    const look = (): void => {
      const leftMs = untilMs - pipeline.nowMs;
      if (leftMs <= 0 || signal.aborted || !isServing() || isBurst(pipeline, most)) resolve();
      else setTimeout(look, Math.min(leftMs, LOOK_MS));
    };
    look();
  });
}

const isBurst = ({ load }: ServedPipeline, most: ArrivalEnvelope): boolean =>
  most.length > 0 && detectBurst(load, most) !== undefined;

function questionOf(query: URLSearchParams): MetricsQuestion {
  const most = query.getAll('most');
  if (most.length > MOST_WINDOWS) throw invalid('most', `at most ${MOST_WINDOWS} windows`, `${most.length}`);
  return {
    waitMs: numberOf(query, 'wait_ms', MOST_WAIT_MS),
    seconds: numberOf(query, 'seconds', MOST_SECONDS),
    most: most.map(windowOf).sort((a, b) => a.windowS - b.windowS),
  };
}

function numberOf(query: URLSearchParams, name: string, most: number): number {
  const text = query.get(name) ?? '0';
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw invalid(name, `a whole number from 0 to ${most}`, text);
}

/** `SECONDS:ARRIVALS`. */
function windowOf(text: string): ArrivalEnvelope[number] {
  const [windowS = 0, arrivals = 0] = text.split(':').map(Number);
  if (/^[\d.]+:[\d.]+$/.test(text) && windowS > 0 && windowS <= 60 && Number.isFinite(arrivals))
    return { windowS, arrivals };
  throw invalid('most', 'SECONDS:ARRIVALS, such as 1:20, with a window of at most 60 s', text);
}

const invalid = (name: string, expected: string, found: string): AppError =>
  new AppError('MALFORMED_REQUEST', `query parameter ${name}: expected ${expected}, found “${found.slice(0, 40)}”`);
