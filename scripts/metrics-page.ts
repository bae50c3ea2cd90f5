/** The page docs/reference/metrics.md: every metric of Equipoise with its type, its labels and its meaning. */

import type { MetricDescription } from '@equipoise/runtime';
import { everyMetric, operatorMetrics } from './every-metric.js';
import { markdownTable } from './markdown-table.js';

/** Markdown of the page. */
export function renderMetricsPage(): string {
  const page = [
    '# Metrics',
    '`GET /metrics` of `serve` returns these metrics in the text format of Prometheus. Every metric has the label `pipeline` in addition to those in the table. Label values are names from the pipeline file and the token file, or words and numbers of the server. None comes from a client. [Monitor a pipeline](../guide/monitoring.md) shows how to use the metrics. `npm run generate` generates this page.',
    tableOf(everyMetric()),
    'The bucket bounds of time histograms are fixed multiples of the SLO latency that was in force when the server started. `equipoise_request_duration_seconds` has a bound at this latency itself. Metrics `process_…` and `nodejs_…` show CPU time, memory, file descriptors, event loop delay and garbage collection of the process.',
    '## Operator',
    '`GET /metrics` of `equipoise operator` returns these metrics and those of the process. They have no label `pipeline`.',
    tableOf(operatorMetrics()),
  ];
  return `${page.join('\n\n')}\n`;
}

function tableOf(metrics: readonly MetricDescription[]): string {
  const rows = metrics.map(({ name, type, labels, help, adminOnly }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    adminOnly ? `${help} Only on the admin port.` : help,
  ]);
  return markdownTable(['metric', 'type', 'labels', 'meaning'], rows);
}
