import fc from 'fast-check';
import { describeDamagedStates } from './damaged-state.test-support.js';

describeDamagedStates('random', () =>
  fc.uint8Array({ minLength: 1, maxLength: 65_536, size: 'max' }).map((bytes) => Buffer.from(bytes)),
);
