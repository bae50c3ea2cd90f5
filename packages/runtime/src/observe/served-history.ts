/** History of a served pipeline: feeds core's recorder with requests, batches and decisions, and ends its seconds. */
import { runningAsPlan } from '@equipoise/core/control';
import { HistoryRecorder, type HistorySample } from '@equipoise/core/history';
import type { PipelineSpec, RunningPlan, StageId } from '@equipoise/core/model';
import type { ServiceCurves } from '@equipoise/core/plan';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { LoopEvent } from '../loop/loop-event.js';

/** `spec`: as plans use it now. `curves`: by the profile. */
export interface ServedHistoryDeps {
  readonly runner: PipelineRunner;
  readonly spec: () => PipelineSpec;
  readonly curves: ServiceCurves;
  readonly runningPlan: () => RunningPlan;
  readonly epochNowMs: () => number;
}

const TIMER_MS = 1000;

export class ServedHistory {
  readonly recorder: HistoryRecorder;
  readonly #deps: ServedHistoryDeps;
  readonly #timer: NodeJS.Timeout;

  /** Records from now on. */
  constructor(deps: ServedHistoryDeps) {
    const { runner, curves, spec, epochNowMs } = deps;
    this.#deps = deps;
    this.recorder = new HistoryRecorder({
      spec: runner.spec,
      sloLatencyMs: () => runner.spec.slo.latencyMs,
      budgetCores: () => spec().budget.cpuCores,
      curves,
      startedAtMs: runner.nowMs,
      epochMsOf: (atMs) => Math.round(epochNowMs() - (runner.nowMs - atMs)),
      sample: () => this.#sample(),
    });
    runner.onRequestEnd((end) =>
      this.recorder.requestEnded({
        endedAtMs: end.endedAtMs,
        latencyMs: end.latencyMs,
        leftMs: end.leftMs,
        outcome: end.kind === 'dropped' ? end.reason : end.kind,
        byClient: end.kind === 'failed' && !end.mayComeOfPlan,
      }),
    );
    runner.onBatchEnd((batch) => this.recorder.batchEnded(batch, runner.nowMs));
    this.#timer = setInterval(() => this.recorder.advance(runner.nowMs), TIMER_MS);
    this.#timer.unref();
  }

  note(event: LoopEvent): void {
    if (event.kind !== 'decided') return;
    const { decision, mode, observation } = event.record;
    this.recorder.decided(decision, mode === 'advise');
    this.recorder.observed(observation);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): HistorySample {
    const { runner, spec, runningPlan } = this.#deps;
    const running = runningPlan();
    const counts = runner.stageCounts();
    const arrivals = runner.stageArrivals();
    const open = new Map<StageId, number>();
    for (const { stageId, state, isDraining } of runner.breakers())
      if (state === 'open' && !isDraining) open.set(stageId, (open.get(stageId) ?? 0) + 1);
    return {
      arrived: runner.statistics.total.arrived,
      stages: runner.spec.stages.map(({ id }, index) => ({
        arrived: arrivals[index] ?? 0,
        dropped: Object.values(counts[id]?.dropped ?? {}).reduce((sum, count) => sum + count, 0),
        queueLength: counts[id]?.queueLength ?? 0,
        replacedSlow: (counts[id]?.troubles.slow ?? 0) + (counts[id]?.troubles.hung ?? 0),
        open: open.get(id) ?? 0,
      })),
      edges: runner.edgeCounts(),
      runningPlan: running,
      plan: runningAsPlan(spec(), running)?.predicted,
    };
  }
}
