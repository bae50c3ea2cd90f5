/** The next peak is the last maximum. */
import { windowMethod } from './window-method.js';

/** The plainest forecast: what every other has to beat. */
export const lastValue = windowMethod({
  name: 'last-value',
  windowBins: () => 1,
  pointRps: (window) => window[window.length - 1] as number,
});
