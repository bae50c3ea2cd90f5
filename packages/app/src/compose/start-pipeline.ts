import { join } from 'node:path';
import type { EmbeddedActuator } from '@equipoise/adapter-embedded';
import type { HistoryRecorder } from '@equipoise/core/history';
import { AppError, type PipelineSpec, type Plan } from '@equipoise/core/model';
import {
  type ClaimedState,
  type LoopEvent,
  type PipelineControl,
  type PipelineDiagnosis,
  type PipelineRunner,
  type ServedHistory,
  type StageTypes,
  StateClaim,
  ThreadedPlanStore,
} from '@equipoise/runtime';
import type { FirstPlan } from './first-plan.js';
import type { StartOptions } from './pipeline-composition.js';
import { PipelineComposition } from './pipeline-composition.js';
import type { RouterGroup } from './router-group.js';
import { NO_SAVED_STATE, readSavedState, type SavedState } from './saved-state.js';
import { warmUpPipeline } from './watched-replicas.js';

export interface RunningPipeline {
  readonly spec: PipelineSpec;
  readonly runner: PipelineRunner;
  readonly control: PipelineControl;
  readonly kept: SavedState;
  readonly stageTypes: StageTypes;
  readonly actuator: EmbeddedActuator;
  readonly history: HistoryRecorder;
  readonly diagnosis: PipelineDiagnosis;
  readonly firstPlan: Plan;
  readonly first: FirstPlan;
  /**
   * Resolves with true if the new spec differs. If planning is impossible or a restart is needed (CONFLICT), it rejects
   * and changes nothing.
   */
  reload(spec: PipelineSpec): Promise<boolean>;
  /** A second call waits for the first. */
  close(): Promise<void>;
}

/** Resolves when the first plan is warm; rejects with STATE_IN_USE if another server adapts the pipeline. */
export async function startPipeline(asked: StartOptions): Promise<RunningPipeline> {
  let history: ServedHistory | undefined;
  let begun: LoopEvent | undefined;
  const { routers } = asked;
  const options: StartOptions = {
    ...asked,
    ...(routers && { spec: routers.spec, arrivalRps: asked.arrivalRps / routers.count }),
    report: (event) => {
      routers?.noteLoop(event);
      asked.monitor?.noteLoop(event);
      history?.note(event);
      if (event.kind === 'decided') begun = event;
      asked.report(event);
    },
  };
  const { spec, signal, resume, resumeLearned = resume } = options;
  signal?.throwIfAborted();
  const path = join(spec.baseDir, '.equipoise', options.stateFile ?? 'state.db');
  // Claim before reading the state: the previous owner may save until it exits. Servers with a fixed plan need no
  // claim.
  const state = { path, pipelineName: spec.name };
  const found = options.fixed ? undefined : claimOf(state);
  const follows = routers !== undefined && isTaken(found);
  const claim = follows ? undefined : found;
  const parts = await composeOver(new ThreadedPlanStore(path), options, {
    resumes: resumeLearned && !follows,
    claim,
    follows,
  });
  const abort = () =>
    void parts.close().catch((error: unknown) => options.report({ kind: 'failed', step: 'apply', error }));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await options.listen?.(parts);
    signal?.throwIfAborted();
    // If a server is started twice, the taken port is the more helpful error.
    if (isTaken(claim)) throw claim;
    const { onStep = () => {} } = options;
    onStep('planning');
    const tryClaim = () => claimFor(state);
    const plan = await routers?.enter({ pipeline: parts, leads: !follows, tryClaim, signal });
    signal?.throwIfAborted();
    const first: FirstPlan = plan === undefined ? await parts.firstPlan() : { kind: 'resumed', plan, ofLead: true };
    signal?.throwIfAborted();
    await beginWithSteps(parts, first, onStep);
    signal?.throwIfAborted();
    await parts.followAddresses(first.plan);
    signal?.throwIfAborted();
    onStep('warming up');
    await warmUpPipeline(parts.runner, options.spec);
    signal?.throwIfAborted();
    const { runner, actuator } = parts;
    history = parts.beginHistory();
    // The first plan was decided before there was a history.
    if (begun !== undefined) history.note(begun);
    options.monitor?.watch({ runner, runningPlan: () => actuator.runningPlan() });
    if (!options.fixed && routers?.leads !== false) parts.loop.start();
    routers?.started();
    return {
      get spec() {
        return parts.spec;
      },
      runner: parts.runner,
      control: parts.control,
      kept: parts.kept,
      stageTypes: parts.stageTypes,
      actuator: parts.actuator,
      history: history.recorder,
      diagnosis: parts.diagnosisOf(history),
      firstPlan: first.plan,
      first,
      reload: (wanted) => (routers ?? parts).reload(wanted),
      close: () => closeParts(parts, claim, routers),
    };
  } catch (error) {
    await closeParts(parts, claim, routers);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

const STEP_EVERY_MS = 250;

/** Starts the replicas of the first plan, and reports how many are ready. */
async function beginWithSteps(
  parts: PipelineComposition,
  first: FirstPlan,
  onStep: (text: string) => void,
): Promise<void> {
  const all = replicaCount(Object.values(first.plan.stages).flat());
  const report = () => {
    const running = Object.values(parts.actuator.runningPlan().stages).flatMap(({ replicas }) => replicas);
    onStep(`starting replicas, ${running.filter(({ status }) => status === 'ready').length} of ${all} ready`);
  };
  report();
  const timer = setInterval(report, STEP_EVERY_MS);
  try {
    if (first.kind === 'resumed' && first.ofLead) await parts.follow(first.plan);
    else await parts.begin(first);
  } finally {
    clearInterval(timer);
  }
}

const replicaCount = (stages: readonly { readonly replicas: number }[]): number =>
  stages.reduce((sum, { replicas }) => sum + replicas, 0);

/** Claim, or AppError STATE_IN_USE, or STORE_FAILED if the folder is not writable. */
type Claimed = StateClaim | AppError;

function claimOf(state: ClaimedState): Claimed {
  try {
    return new StateClaim(state);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

function isTaken(claim: Claimed | undefined): claim is AppError {
  return claim instanceof AppError && claim.code === 'STATE_IN_USE';
}

/** Claim of a router that takes the lead; undefined if another one has it. */
function claimFor(state: ClaimedState): StateClaim | undefined {
  const claim = claimOf(state);
  if (claim instanceof StateClaim) return claim;
  if (isTaken(claim)) return undefined;
  throw claim;
}

/** The state is free before the other routers see that this one is gone. */
async function closeParts(
  parts: PipelineComposition,
  claim: Claimed | undefined,
  routers: RouterGroup | undefined,
): Promise<void> {
  try {
    await parts.close();
  } finally {
    releaseClaim(claim);
    await routers?.leave();
  }
}

function releaseClaim(claim: Claimed | undefined): void {
  if (claim instanceof StateClaim) claim.release();
}

interface CompositionInput {
  readonly resumes: boolean;
  readonly claim: Claimed | undefined;
  /** True if another router leads. */
  readonly follows: boolean;
}

/**
 * Composes the pipeline. If the state file is unusable, the pipeline starts without saved state and reports a fault.
 */
async function composeOver(
  store: ThreadedPlanStore,
  options: StartOptions,
  { resumes, claim, follows }: CompositionInput,
): Promise<PipelineComposition> {
  const { spec, profiles } = options;
  try {
    let fault: AppError | undefined = claim instanceof AppError && !isTaken(claim) ? claim : undefined;
    let saved = NO_SAVED_STATE;
    try {
      const aside = await store.open(claim instanceof StateClaim);
      if (aside !== undefined) fault = damaged(aside);
      saved = await readSavedState(store, spec, { profiles, resumes });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'STORE_FAILED') throw error;
      fault = error;
    }
    return new PipelineComposition(options, { store, fault }, { kept: saved, follows });
  } catch (error) {
    await store.close().finally(() => releaseClaim(claim));
    throw error;
  }
}

function damaged(aside: string): AppError {
  const message = `The state file was damaged. It is now ${aside}, and a new one was begun without the earlier plans, decisions, mode and pins.`;
  return new AppError('STORE_FAILED', message, { details: { path: aside } });
}
