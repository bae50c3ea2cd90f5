/** Entry `@equipoise/core/history`: the last hour of a pipeline. */
export { HISTORY_SECONDS } from './history/history.js';
export type { LatencyBucket, StagePoint } from './history/history-point.js';
export { HistoryRecorder, type HistorySample } from './history/history-recorder.js';
