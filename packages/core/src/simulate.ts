/** Entry `@equipoise/core/simulate`: arrival processes and the simulator. */
export type { ArrivalProcess } from './simulate/arrivals/arrival-process.js';
export { deterministicArrivals } from './simulate/arrivals/deterministic.js';
export { gammaArrivals } from './simulate/arrivals/gamma.js';
export { arrivalsOf, type LoadSpec, loadDurationS } from './simulate/arrivals/load-spec.js';
export { piecewiseLinearArrivals, type RatePoint } from './simulate/arrivals/piecewise-linear.js';
export { poissonArrivals } from './simulate/arrivals/poisson.js';
export { type TraceSpread, traceArrivals, traceSpreads } from './simulate/arrivals/trace.js';
export { batchPolicies } from './simulate/batch-policies.js';
export { ItemChances } from './simulate/item-chances.js';
export { verifiersOf } from './simulate/plan-verifier.js';
export { priorityMix } from './simulate/priority-mix.js';
export {
  type FaultSchedule,
  failsBatches,
  hangs,
  type ReplicaFault,
  randomFaults,
  slowness,
} from './simulate/replica-faults.js';
export { ServingPolicies } from './simulate/serving-policies.js';
export { simulatePlan } from './simulate/simulate-plan.js';
export { type SimulationReport, simulationReport } from './simulate/simulation-report.js';
export type { SimulatedClients, SimulatedServiceTimes, SimulationRun } from './simulate/simulation-setup.js';
