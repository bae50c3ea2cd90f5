/** How long before its deadline a served pipeline wants a request done or given up, where its file does not say. */
import type { Slo } from './pipeline-spec.js';

/** A small part of the time that a request has: it costs hardly any that could have been done in time. */
const FRACTION = 0.02;
/** A turn of the event loop, a collection, a timer and the writing of an answer take some ms, however long a pipeline takes. */
const MOST_MS = 10;

/** The answer margin in ms (see `AdmissionSpec`) of a server whose pipeline states none; simulations then keep none. */
export function servedAnswerMarginMs({ latencyMs }: Pick<Slo, 'latencyMs'>): number {
  return Math.min(FRACTION * latencyMs, MOST_MS);
}
