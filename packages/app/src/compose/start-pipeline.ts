/**
 * A pipeline put together and running: data plane, replicas on this machine, control loop, planning thread and store. `serve` and
 * `demo` start it; everything they need to watch or stop it is in what this returns.
 */
import { join } from 'node:path';
import type { EmbeddedActuator } from '@equipoise/adapter-embedded';
import type { PipelineSpec, Plan } from '@equipoise/core';
import {
  type PipelineControl,
  type PipelineRunner,
  type StageTypes,
  StateClaim,
  ThreadedPlanStore,
} from '@equipoise/runtime';
import type { FirstPlan } from './first-plan.js';
import { type KeptState, readKeptState } from './kept-state.js';
import { PipelineParts } from './pipeline-parts.js';
import type { StartOptions } from './start-options.js';
import { warmUpPipeline } from './warm-up.js';

/** A running pipeline. */
export interface RunningPipeline {
  /** As it is served now. */
  readonly spec: PipelineSpec;
  readonly runner: PipelineRunner;
  /** What a person may do to it. */
  readonly control: PipelineControl;
  /** What was kept from before. */
  readonly kept: KeptState;
  /** Tensors seen at its stages. */
  readonly stageTypes: StageTypes;
  readonly actuator: EmbeddedActuator;
  readonly firstPlan: Plan;
  readonly first: FirstPlan;
  /**
   * Goes on with another description of the same pipeline and tells whether it differs; the next plan is made by it. Rejects, and then
   * nothing has changed, with AppError CONFLICT where what differs takes a restart, and where it cannot be planned for.
   */
  reload(spec: PipelineSpec): Promise<boolean>;
  /** Drains, stops everything and closes the store; a second call waits for the first. */
  close(): Promise<void>;
}

/** Starts a pipeline and resolves when its first plan is in force and warm; rejects with AppError STATE_IN_USE where another server has it. */
export async function startPipeline(asked: StartOptions): Promise<RunningPipeline> {
  const options = { ...asked, report: reportOf(asked) };
  const { spec, signal, resume, resumeLearned = resume } = options;
  signal?.throwIfAborted();
  const path = join(spec.baseDir, '.equipoise', options.stateFile ?? 'state.db');
  const store = await ThreadedPlanStore.open(path);
  const parts = await partsOver(store, options, resumeLearned);
  const abort = () =>
    void parts.close().catch((error: unknown) => options.report({ kind: 'failed', step: 'apply', error }));
  signal?.addEventListener('abort', abort, { once: true });
  let claim: StateClaim | undefined;
  try {
    await options.listen?.(parts);
    signal?.throwIfAborted();
    // Behind the ports: of a server that is started twice in the same way they are what is in the way.
    // One that keeps its first plan neither learns nor adapts: many may serve beside another, as replicas that are servers do.
    claim = options.fixed ? undefined : new StateClaim({ path, pipelineName: spec.name });
    const first = await parts.firstPlan();
    signal?.throwIfAborted();
    await parts.begin(first);
    signal?.throwIfAborted();
    await warmUpPipeline(parts.runner, options.spec);
    signal?.throwIfAborted();
    const { runner, actuator } = parts;
    options.monitor?.watch({ runner, runningPlan: () => actuator.runningPlan() });
    if (!options.fixed) parts.loop.start();
    return {
      get spec() {
        return parts.spec;
      },
      runner: parts.runner,
      control: parts.control,
      kept: parts.kept,
      stageTypes: parts.stageTypes,
      actuator: parts.actuator,
      firstPlan: first.plan,
      first,
      reload: (wanted) => parts.reload(wanted),
      close: () => parts.close().finally(() => claim?.release()),
    };
  } catch (error) {
    await parts.close().finally(() => claim?.release());
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Whoever watches, and the metrics. */
function reportOf({ monitor, report }: StartOptions): StartOptions['report'] {
  return (event) => {
    monitor?.noteLoop(event);
    report(event);
  };
}

async function partsOver(store: ThreadedPlanStore, options: StartOptions, resumes: boolean): Promise<PipelineParts> {
  const { spec, profiles } = options;
  try {
    return new PipelineParts(options, store, await readKeptState(store, spec, { profiles, resumes }));
  } catch (error) {
    await store.close();
    throw error;
  }
}
