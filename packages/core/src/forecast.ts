/** Entry `@equipoise/core/forecast`: arrival-rate forecasts and their backtest. */
export { type ForecastFigures, forecastFigures } from './forecast/backtest/forecast-figures.js';
export {
  forecastTrial,
  type Trial,
  type TrialProgress,
  type TrialRequest,
} from './forecast/backtest/forecast-trial.js';
export {
  beginBacktest,
  observeMaximum,
  type RollingBacktest,
  selectedForecast,
} from './forecast/backtest/rolling-backtest.js';
export type { ForecastMethod, TrainedForecaster } from './forecast/forecast-method.js';
export { type Forecaster, type ForecasterName, forecasters } from './forecast/forecaster.js';
export type { LearningSnapshot } from './forecast/learning/load-learning.js';
export { forecastMethods } from './forecast/methods/forecast-methods.js';
export { type PeakSeries, type PeakTask, peakSeries, trainingPeaks, USUAL_PEAK_TASK } from './forecast/peak-series.js';
export { smoothedRate } from './forecast/smoothed-rate.js';
