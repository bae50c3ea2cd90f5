/** A recurrent network that reads the normalized lags one by one. */
import { lstmNetwork } from '../network/lstm-network.js';
import { networkMethod } from '../network/network-method.js';

const CELLS = 16;

/** A long short-term memory of 16 cells. */
export const lstm = networkMethod({
  name: 'lstm',
  networkFor: (lags) => lstmNetwork(lags, CELLS),
  ...{ batches: 6000, batchSize: 32, rate: 4e-3 },
});
