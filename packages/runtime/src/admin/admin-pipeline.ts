/** A pipeline as the admin port sees it. */
import type { PipelineSpec } from '@equipoise/core/model';
import type { Actuator } from '@equipoise/core/ports';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { PipelineControl } from '../loop/pipeline-control.js';

/** Its description, what serves it and what may be done to it. */
export interface AdminPipeline {
  readonly spec: PipelineSpec;
  readonly runner: Pick<PipelineRunner, 'ready' | 'nowMs' | 'statistics' | 'inFlight' | 'stageCounts'>;
  readonly actuator: Pick<Actuator, 'runningPlan'>;
  readonly control: PipelineControl;
}
