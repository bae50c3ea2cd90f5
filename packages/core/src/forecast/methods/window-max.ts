/** The next peak is the largest of the last maxima: of two, or of the whole window. */
import { windowMethod } from './window-method.js';

const largest = (window: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < window.length; i++) most = Math.max(most, window[i] as number);
  return most;
};

/** The larger of the last two. */
export const lastTwoMax = windowMethod({
  name: 'last-two-max',
  windowBins: ({ lags }) => Math.min(2, lags),
  pointRps: largest,
});

/** The largest of all lags. */
export const windowMax = windowMethod({ name: 'window-max', windowBins: ({ lags }) => lags, pointRps: largest });
