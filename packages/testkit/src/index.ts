/** Public face of the testkit: what tests of other packages may use. */
export * from './manual-clock.js';
export * from './requires-tool.js';
