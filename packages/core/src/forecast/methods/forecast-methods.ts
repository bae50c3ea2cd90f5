import type { ForecastMethod } from '../forecast-method.js';
import { lagNetwork } from '../network/lag-network.js';
import { lstm } from '../network/lstm-network.js';
import { boostedTrees } from './boosted-trees.js';
import { ewma } from './ewma.js';
import { quantileRegression } from './quantile-regression.js';
import { lastTwoMax, lastValue, windowMax, windowMean } from './window-methods.js';

/** Methods of a rolling backtest, simple ones first. */
export const forecastMethods: readonly ForecastMethod[] = [
  lastValue,
  lastTwoMax,
  windowMax,
  windowMean,
  ewma,
  quantileRegression,
  boostedTrees,
  lagNetwork,
  lstm,
];
