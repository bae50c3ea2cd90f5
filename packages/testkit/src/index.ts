/** Entry of the testkit. */

export * from './chromium.js';
export * from './conformance/actuator-conformance.js';
export * from './conformance/model-runner-conformance.js';
export * from './conformance/plan-store-conformance.js';
export * from './fakes/fake-launcher.js';
export * from './fakes/fake-pool.js';
export * from './fakes/fake-runner.js';
export * from './fakes/memory-plan-store.js';
export * from './fakes/stage-specs.js';
export * from './helm-program.js';
export * from './manual-clock.js';
export * from './requires-tool.js';
export * from './run-to-end.js';
export * from './self-signed.js';
