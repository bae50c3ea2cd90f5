/** Entry `@equipoise/core/model`: domain types, errors, clock and random numbers. */
export type { AlarmClock, Clock } from './kernel/clock.js';
export { medianOf } from './kernel/count-statistics.js';
export { doubledDelayMs } from './kernel/doubled-delay.js';
export { InvariantViolation, invariant } from './kernel/invariant.js';
export { LatencyHistogram } from './kernel/latency-histogram.js';
export { LruCache } from './kernel/lru-cache.js';
export { type FigureRange, type MeanInterval, meanInterval95, rangedMeanInterval95 } from './kernel/mean-interval.js';
export { type Rng, SeededRng } from './kernel/rng.js';
export { thrownText } from './kernel/thrown-text.js';
export { wilsonInterval } from './kernel/wilson-interval.js';
export type { AccuracyTable, MeasuredAgreement } from './model/accuracy-table.js';
export { AppError, type ErrorCode, type ErrorDetails, errorCodes, isServerFault } from './model/app-error.js';
export { ArrivalRecord } from './model/arrival-record.js';
export { boundedMessage, boundedName } from './model/bounded-text.js';
export type { CanaryCounts, CanaryScores, SideCount } from './model/canary-counts.js';
export { type Change, type LastChange, lastChangeOf } from './model/change.js';
export type {
  BatchTimes,
  Decision,
  DecisionEvidence,
  EdgeCount,
  Forecast,
  LearnedEdge,
  LoadObservation,
  Observation,
  StartTimes,
} from './model/decision.js';
export {
  type DecisionOutcome,
  type DecisionRecord,
  type DecisionSummary,
  decisionSummary,
  type LaterFacts,
  type ManualAction,
  type ObservedOutcome,
  type PinsByStage,
} from './model/decision-record.js';
export type { ArrivalEnvelope, Burstiness } from './model/expected-load.js';
export { type ReplicaId, replicaId, type StageId, stageId, type VariantId, variantId } from './model/ids.js';
export { buildObservation } from './model/observation.js';
export { OMITTED, omittedNodes } from './model/omission.js';
export {
  awaitedParts,
  type ControlMode,
  closesFanOut,
  defaultPriorities,
  defaultRunTimeoutMs,
  type EdgeSpec,
  followsAddresses,
  type InferenceServerSpec,
  type Isolation,
  type Join,
  MOST_USUAL_STAGES,
  measurementCause,
  type NodeGroup,
  type Objective,
  type OutputSpec,
  type PipelineSpec,
  priorityLevel,
  type Resources,
  runsElsewhere,
  type ShadowSpec,
  type Slo,
  type SourceJoinSpec,
  type SourceSpec,
  type SourceTensor,
  type StagePins,
  type StageSpec,
  servedAnswerMarginMs,
  shadowCores,
  type UpstreamShares,
  usualCpuQuotaPeriodMs,
  type VariantSpec,
} from './model/pipeline-spec.js';
export {
  bindingText,
  type Certificate,
  NO_PREDICTION,
  type Plan,
  type PlanPrediction,
  type PlanResult,
  type PlanVerification,
  type StagePlan,
  showsSloMet,
} from './model/plan.js';
export type { LatencyProfile, ProfilePoint, ProfileSet } from './model/profile-point.js';
export {
  atQuorum,
  type QuorumChoice,
  quorumChoices,
  quorumOfChoice,
  quorumsOf,
  withoutQuorum,
} from './model/quorum.js';
export type { DropReason, RequestOutcome } from './model/request-outcome.js';
export { specOfPlan, variantBehind, variantChoice } from './model/resolved-spec.js';
export {
  largestShare,
  loadAtRouter,
  mostRouters,
  oneRouter,
  planOfRouter,
  planOfRouters,
  type RouterSplit,
  routerBoundsProblems,
  routerShares,
  routersWithinBounds,
  specOfRouter,
  unevenOfConnections,
  usualSplit,
  usualUnevenFraction,
} from './model/router-split.js';
export {
  DwellTracker,
  type HealthIssue,
  liveReplicas,
  type RunningPlan,
  type RunningReplica,
  type RunningStage,
} from './model/running-plan.js';
export type { EstimatedValue, ServiceCorrection } from './model/service-correction.js';
export {
  type Datatype,
  elementCount,
  type NumericData,
  numericStorage,
  type Tensor,
  type TensorData,
  type TensorMap,
  type TensorType,
} from './model/tensor.js';
export { concatenateTensors, sliceTensor, stackTensors, unstackTensor } from './model/tensor-batch.js';
export { kindOf, tensorProblem } from './model/tensor-problem.js';
export {
  atThreshold,
  choicesOf,
  thresholdChoices,
  thresholdOfChoice,
  thresholdsOf,
  variantOfChoice,
} from './model/threshold.js';
