/** Metrics in the text format of Prometheus. */
import type { MetricsPage } from '../observe/metrics-page.js';
import type { Endpoint } from './endpoint.js';

/** GET /metrics, or a few of them by `name[]`, as other exporters take it: who asks each second need not be told all. */
export function metrics({ contentType, text }: MetricsPage): Endpoint {
  return async ({ query }) => {
    const names = query.getAll('name[]');
    return { status: 200, contentType, text: await (names.length === 0 ? text() : text(names)) };
  };
}
