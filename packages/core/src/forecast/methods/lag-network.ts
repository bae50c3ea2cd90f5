/** A small dense network on normalized lags. */
import { denseNetwork } from '../network/dense-network.js';
import { networkMethod } from '../network/network-method.js';

const HIDDEN_UNITS = 16;

/** Two hidden layers of 16 units; fitted on 256,000 examples, with repetition. */
export const lagNetwork = networkMethod({
  name: 'lag-network',
  networkFor: (lags) => denseNetwork(lags + 1, HIDDEN_UNITS),
  ...{ batches: 8000, batchSize: 32, rate: 3e-3 },
});
