import { describe, expect, it } from 'vitest';
import { acceptsOpenMetrics, openMetricsText } from './open-metrics.js';

const page = `# HELP a_total What "a" counts.
# TYPE a_total counter
a_total{of="# x"} 1

# HELP odd Counts without the suffix.
# TYPE odd counter
odd 2
# HELP t_seconds Time.
# TYPE t_seconds histogram
t_seconds_bucket{le="0.1"} 3
t_seconds_bucket{le="+Inf"} 4
t_seconds_sum 1.5
t_seconds_count 4
# arrivals 1 2 3
`;

describe('metrics in the form of OpenMetrics', () => {
  it('have the trace id on the bucket of the request, no empty line, no comment, and an end', () => {
    const sample = 't_seconds_bucket{le="0.1"}';
    const exemplar = { sample, traceId: 'abc', value: 0.07, atEpochMs: 1_790_000_000_123 };
    expect(openMetricsText(page, [exemplar, { ...exemplar, sample: 'gone' }])).toBe(`# HELP a What \\"a\\" counts.
# TYPE a counter
a_total{of="# x"} 1
# HELP odd Counts without the suffix.
# TYPE odd unknown
odd 2
# HELP t_seconds Time.
# TYPE t_seconds histogram
t_seconds_bucket{le="0.1"} 3 # {trace_id="abc"} 0.07 1790000000.123
t_seconds_bucket{le="+Inf"} 4
t_seconds_sum 1.5
t_seconds_count 4
# EOF
`);
  });

  it.each([
    ['application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3,*/*;q=0.1', true],
    ['text/plain', false],
    ['*/*', false],
    [undefined, false],
  ])('are for clients that accept them: %s', (accept, expected) => {
    expect(acceptsOpenMetrics(accept)).toBe(expected);
  });
});
