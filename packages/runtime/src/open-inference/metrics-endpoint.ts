/** Metrics in the text format of Prometheus. */
import type { MetricsPage } from '../observe/metrics-page.js';
import type { Endpoint } from './endpoint.js';

/** GET /metrics */
export function metrics({ contentType, text }: MetricsPage): Endpoint {
  return async () => ({ status: 200, contentType, text: await text() });
}
