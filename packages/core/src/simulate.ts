/** Entry `@equipoise/core/simulate`: arrival processes and the simulator. */
export {
  type ArrivalProcess,
  deterministicArrivals,
  gammaArrivals,
  poissonArrivals,
} from './simulate/arrivals/constant-rate.js';
export {
  JoinedArrivals,
  type JoinedStream,
  joinedStream,
  ownArrivals,
  partDelays,
  type SourceBehavior,
  type SourceLoad,
} from './simulate/arrivals/joined-arrivals.js';
export { arrivalsOf, type LoadSpec, loadDurationS } from './simulate/arrivals/load-spec.js';
export { type TraceSpread, traceArrivals, traceSpreads } from './simulate/arrivals/trace.js';
export { piecewiseLinearArrivals, type RatePoint } from './simulate/arrivals/varying-rate.js';
export { attainmentInterval95 } from './simulate/attainment.js';
export { ItemChances } from './simulate/item-chances.js';
export { MeasuredPaths } from './simulate/measured-paths.js';
export { verifiersOf } from './simulate/plan-verifier.js';
export { priorityMix } from './simulate/priority-mix.js';
export { failsBatches, hangs, randomFaults, slowness } from './simulate/replica-faults.js';
export { mergeRuns } from './simulate/routed-runs.js';
export { batchPolicies, ServingPolicies } from './simulate/serving-policies.js';
export { simulatePlan } from './simulate/simulate-plan.js';
export type { SimulatedEnd, SimulationRun } from './simulate/simulation-input.js';
export {
  costPerHour,
  runsThatComplete,
  type SimulationReport,
  simulationReport,
} from './simulate/simulation-report.js';
