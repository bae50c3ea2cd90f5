import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { everyMetric, unknownMetrics } from './every-metric.js';

describe('the metrics that files for monitoring ask for', () => {
  it.each([
    'deploy/prometheus/equipoise-alerts.yaml',
    'deploy/prometheus/equipoise-operator-alerts.yaml',
    'deploy/prometheus/equipoise-recording.yaml',
    'docs/guide/monitoring.md',
    'deploy/grafana/equipoise.json',
    'deploy/grafana/equipoise-operator.json',
    'deploy/grafana/equipoise-resources.json',
  ])('are there: %s', (path) => {
    expect(unknownMetrics(readFileSync(path, 'utf8'))).toEqual([]);
  });

  it('are told from those that there are not', () => {
    expect(unknownMetrics('rate(equipoise_batch_size_bucket[5m]) > equipoise_none + equipoise_ready')).toEqual([
      'equipoise_none',
    ]);
    expect(new Set(everyMetric().map(({ name }) => name)).size).toBe(everyMetric().length);
  });
});
