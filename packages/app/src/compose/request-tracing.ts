import { randomInt } from 'node:crypto';
import { SeededRng } from '@equipoise/core/model';
import { RequestTracer } from '@equipoise/runtime';

export interface TracingOptions {
  /** Fraction of the requests whose traces are kept, or `off`. */
  readonly traceSample: number | 'off';
}

/** Tracer of the served pipeline; undefined if tracing is off. */
export function requestTracer({ traceSample }: TracingOptions): RequestTracer | undefined {
  if (traceSample === 'off') return undefined;
  const rng = new SeededRng(randomInt(2 ** 31));
  return new RequestTracer({ sampling: { fraction: traceSample }, rng, epochMs: Date.now });
}
