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
import type { StartOptions } from './pipeline-composition.js';
import { PipelineComposition } from './pipeline-composition.js';
import { readSavedState, type SavedState } from './saved-state.js';
import { warmUpPipeline } from './watched-replicas.js';

export interface RunningPipeline {
  readonly spec: PipelineSpec;
  readonly runner: PipelineRunner;
  readonly control: PipelineControl;
  readonly kept: SavedState;
  readonly stageTypes: StageTypes;
  readonly actuator: EmbeddedActuator;
  readonly firstPlan: Plan;
  readonly first: FirstPlan;
  /**
   * Returns true if the description differs. Rejects, without a change, with CONFLICT if a restart is needed, or if no
   * planning is possible.
   */
  reload(spec: PipelineSpec): Promise<boolean>;
  /** A second call waits for the first. */
  close(): Promise<void>;
}

/** Resolves when the first plan is warm; rejects with STATE_IN_USE if another server adapts the pipeline. */
export async function startPipeline(asked: StartOptions): Promise<RunningPipeline> {
  const options = { ...asked, report: reportOf(asked) };
  const { spec, signal, resume, resumeLearned = resume } = options;
  signal?.throwIfAborted();
  const path = join(spec.baseDir, '.equipoise', options.stateFile ?? 'state.db');
  const store = await ThreadedPlanStore.open(path);
  // Claimed before the state is read: its last owner may save until it has ended. Servers with a fixed plan need no
  // claim.
  const claim = options.fixed ? undefined : await claimOver(store, { path, pipelineName: spec.name });
  const parts = await composeOver(store, options, { resumes: resumeLearned, claim });
  const abort = () =>
    void parts.close().catch((error: unknown) => options.report({ kind: 'failed', step: 'apply', error }));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await options.listen?.(parts);
    signal?.throwIfAborted();
    // If a server is started twice, the taken port is the more helpful error.
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
      close: () => parts.close().finally(() => releaseClaim(claim)),
    };
  } catch (error) {
    await parts.close().finally(() => releaseClaim(claim));
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function reportOf({ monitor, report }: StartOptions): StartOptions['report'] {
  return (event) => {
    monitor?.noteLoop(event);
    report(event);
  };
}

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

function releaseClaim(claim: Claimed | undefined): void {
  if (claim instanceof StateClaim) claim.release();
}

interface CompositionInput {
  readonly resumes: boolean;
  readonly claim: Claimed | undefined;
}

async function composeOver(
  store: ThreadedPlanStore,
  options: StartOptions,
  { resumes, claim }: CompositionInput,
): Promise<PipelineComposition> {
  const { spec, profiles } = options;
  try {
    return new PipelineComposition(options, store, await readSavedState(store, spec, { profiles, resumes }));
  } catch (error) {
    await store.close().finally(() => releaseClaim(claim));
    throw error;
  }
}
