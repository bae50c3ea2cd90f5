export { failureOf, type PrometheusFailure } from './api/http-answer.js';
export { PrometheusApi, type PrometheusOptions } from './api/prometheus-api.js';
export { type DoctorQuestion, examineSeries } from './doctor/examine-series.js';
export type { Check, Finding } from './doctor/finding.js';
export type { ScrapedPod } from './doctor/target-findings.js';
export { type EngineMetricsOptions, PrometheusEngineMetrics } from './engine/prometheus-engine-metrics.js';
export { readArrivalHistory } from './observe/arrival-history.js';
export { describeFigure, type Figure, freshValue } from './observe/figure.js';
export { type PipelineMetrics, readPipelineMetrics, type VariantMetrics } from './observe/pipeline-metrics.js';
export {
  type SeriesSource,
  seriesSources,
  type WatchedPipeline,
  type WatchedWorkload,
} from './series/watched-pipeline.js';
