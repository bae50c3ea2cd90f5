import fc from 'fast-check';
import { describeDamagedStates } from './damaged-state.test-support.js';

describeDamagedStates('truncated', (intact) =>
  fc.integer({ min: 1, max: intact.length - 1 }).map((length) => intact.subarray(0, length)),
);
