/** The next peak is the mean of the last maxima. */
import { windowMethod } from './window-method.js';

/** The mean of all lags. */
export const windowMean = windowMethod({
  name: 'window-mean',
  windowBins: ({ lags }) => lags,
  pointRps: (window) => {
    let sum = 0;
    for (let i = 0; i < window.length; i++) sum += window[i] as number;
    return sum / window.length;
  },
});
