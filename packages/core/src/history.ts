/** Entry `@equipoise/core/history`: the last hour of a pipeline. */
export { CountedHistory } from './history/counted-history.js';
export { HISTORY_SECONDS } from './history/history.js';
export type { LatencyBucket, StagePoint } from './history/history-point.js';
export { HistoryRecorder, type HistorySample, type SignalAge } from './history/history-recorder.js';
