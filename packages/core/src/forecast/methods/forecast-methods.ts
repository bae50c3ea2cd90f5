/** All methods by name, the simple ones first. */
import type { ForecastMethod } from '../peaks/forecast-method.js';
import { ewma } from './ewma.js';
import { holtWinters } from './holt-winters.js';
import { lagNetwork } from './lag-network.js';
import { lastValue } from './last-value.js';
import { lstm } from './lstm.js';
import { quantileRegression } from './quantile-regression.js';
import { lastTwoMax, windowMax } from './window-max.js';
import { windowMean } from './window-mean.js';

/** What a rolling backtest chooses from. */
export const forecastMethods: readonly ForecastMethod[] = [
  lastValue,
  lastTwoMax,
  windowMax,
  windowMean,
  ewma,
  holtWinters,
  quantileRegression,
  lagNetwork,
  lstm,
];
