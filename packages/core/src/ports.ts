/** Entry `@equipoise/core/ports`: interfaces that runtime and adapters implement. */
export type { Actuator, ReadyReplica, ReplicaPool, StageBatching } from './ports/actuator.js';
export type { EngineMetrics, EngineMetricsAnswer, EngineMetricsQuestion } from './ports/engine-metrics.js';
export type {
  BatchResult,
  ItemResult,
  LaunchedReplica,
  LaunchRequest,
  ModelRunner,
  ReplicaLauncher,
} from './ports/model-runner.js';
export type { DecisionPage, GoodPlan, KeptName, PlanStore } from './ports/plan-store.js';
export type { LoadableVariant, LoadedStage, StageModule } from './ports/stage-module.js';
