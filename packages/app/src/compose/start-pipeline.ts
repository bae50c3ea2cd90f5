/**
 * A pipeline put together and running: data plane, replicas on this machine, control loop, planning thread and store. `serve` and
 * `demo` start it; everything they need to watch or stop it is in what this returns.
 */
import { join } from 'node:path';
import type { EmbeddedActuator } from '@equipoise/adapter-embedded';
import { AppError, type PipelineSpec, type Plan } from '@equipoise/core/model';
import {
  type ClaimedState,
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
import { warmUpPipeline } from './watched-replicas.js';

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
  // Before what is kept is read: the server that had it may keep more until it has ended.
  // One that keeps its first plan neither learns nor adapts: many may serve beside another, as replicas that are servers do.
  const claim = options.fixed ? undefined : await claimOver(store, { path, pipelineName: spec.name });
  const parts = await partsOver(store, options, { resumes: resumeLearned, claim });
  const abort = () =>
    void parts.close().catch((error: unknown) => options.report({ kind: 'failed', step: 'apply', error }));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await options.listen?.(parts);
    signal?.throwIfAborted();
    // Behind the ports: of a server that is started twice in the same way they are what is in the way.
    if (claim instanceof AppError) throw claim;
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
      close: () => parts.close().finally(() => letGo(claim)),
    };
  } catch (error) {
    await parts.close().finally(() => letGo(claim));
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

/** A claim, or why another server has the state. */
type Claimed = StateClaim | AppError;

async function claimOver(store: ThreadedPlanStore, state: ClaimedState): Promise<Claimed> {
  try {
    return new StateClaim(state);
  } catch (error) {
    if (error instanceof AppError && error.code === 'STATE_IN_USE') return error;
    await store.close();
    throw error;
  }
}

function letGo(claim: Claimed | undefined): void {
  if (claim instanceof StateClaim) claim.release();
}

interface PartsFrom {
  /** Whether to go on with what was learned and asked for. */
  readonly resumes: boolean;
  readonly claim: Claimed | undefined;
}

async function partsOver(
  store: ThreadedPlanStore,
  options: StartOptions,
  { resumes, claim }: PartsFrom,
): Promise<PipelineParts> {
  const { spec, profiles } = options;
  try {
    return new PipelineParts(options, store, await readKeptState(store, spec, { profiles, resumes }));
  } catch (error) {
    await store.close().finally(() => letGo(claim));
    throw error;
  }
}
