/**
 * One front as the main process sees it: runs what it asks for, counts what it answered. Whoever is gone with a front has its requests
 * cancelled, as a client that closes its connection has.
 */
import type { TensorMap } from '@equipoise/core/model';
import { Cancellation } from '../data-plane/cancellation.js';
import { internalError } from '../data-plane/internal-error.js';
import type { PipelineOutcome } from '../data-plane/pending-request.js';
import type { SubmitOptions } from '../data-plane/pipeline-runner.js';
import { StageFailure } from '../data-plane/stage-failure.js';
import type { MetricsPage } from '../observe/metrics-page.js';
import type { AnsweredCall } from '../open-inference/answered-call.js';
import type { Runner } from '../open-inference/served-pipeline.js';
import type { StageTypes } from '../open-inference/stage-types.js';
import type { Tenants } from '../open-inference/tenants/tenants.js';
import type { FrameLink, TensorFrame } from './frame-link.js';
import { type FromFront, type SentRun, sentOutcome, sharedNowMs, type ToFront } from './messages.js';

/** What all fronts have in common. */
export interface FrontedServing {
  readonly pipelines: ReadonlyMap<string, { readonly runner: Runner; readonly types: StageTypes }>;
  readonly tenants: Tenants | undefined;
  readonly metrics: MetricsPage | undefined;
  readonly onAnswer: (call: AnsweredCall) => void;
  readonly onDefect: (error: unknown) => void;
  readonly onStageFailure: (failure: StageFailure) => void;
  /** Tells all fronts what has been seen, where that is news. */
  readonly tellNews: () => void;
}

/** The least time that a request is submitted with, in ms: what came too late is dropped by the policies, which count it. */
const LEAST_TIMEOUT_MS = 1e-3;

/** Serves the questions of one front. */
export class FrontPeer {
  readonly #serving: FrontedServing;
  readonly #link: FrameLink;
  readonly #running = new Map<number, Cancellation>();

  constructor(serving: FrontedServing, link: FrameLink) {
    this.#serving = serving;
    this.#link = link;
  }

  /** Serves a message, unless it is none of those that this is for. */
  take(message: FromFront, tensors: TensorFrame['tensors']): void {
    switch (message.kind) {
      case 'run':
        void this.#run(message, tensors[0] ?? {});
        return;
      case 'cancel':
        this.#running.get(message.id)?.abort();
        return;
      case 'take': {
        const waitMs = this.#serving.tenants?.take(message.tenant, performance.now()) ?? 0;
        this.#say({ kind: 'taken', id: message.id, waitMs });
        return;
      }
      case 'page':
        void this.#page(message.id, message.names);
        return;
      case 'answered':
        for (const call of message.calls) this.#serving.onAnswer(call);
        return;
      case 'defect':
        this.#serving.onDefect(new Error(`in a front process: ${message.what}`));
        return;
      default:
    }
  }

  /** Cancels all that it has asked for and not been answered. */
  cancelAll(): void {
    for (const gone of this.#running.values()) gone.abort();
  }

  async #run({ id, pipeline, arrivedAtMs, timeoutMs, priority }: SentRun, inputs: TensorMap): Promise<void> {
    const served = this.#serving.pipelines.get(pipeline);
    if (served === undefined) return;
    const { runner, types } = served;
    const signal = new Cancellation();
    this.#running.set(id, signal);
    const leftMs = (timeoutMs ?? runner.spec.slo.latencyMs) - (sharedNowMs() - arrivedAtMs);
    const bounds = { timeoutMs: Math.max(leftMs, LEAST_TIMEOUT_MS), ...(priority !== undefined && { priority }) };
    const outcome = await this.#outcome(runner, inputs, { ...bounds, signal });
    this.#running.delete(id);
    if (outcome.kind === 'failed' && outcome.failure instanceof StageFailure) this.#report(outcome.failure);
    if (outcome.kind === 'completed') types.pipelineOutputs.learn(outcome.output);
    this.#serving.tellNews();
    const output = outcome.kind === 'completed' ? [outcome.output] : [];
    this.#say({ kind: 'outcome', id, outcome: sentOutcome(outcome) }, output);
  }

  /** What is thrown here is a defect, of which clients learn nothing. */
  async #outcome(runner: Runner, inputs: TensorMap, options: SubmitOptions): Promise<PipelineOutcome> {
    try {
      return await runner.submit(inputs, options);
    } catch (error) {
      this.#serving.onDefect(error);
      return { kind: 'failed', failure: internalError() };
    }
  }

  async #page(id: number, names: readonly string[] | undefined): Promise<void> {
    try {
      this.#say({ kind: 'page', id, text: (await this.#serving.metrics?.text(names)) ?? '' });
    } catch (error) {
      this.#serving.onDefect(error);
      this.#say({ kind: 'page', id });
    }
  }

  #report(failure: StageFailure): void {
    try {
      this.#serving.onStageFailure(failure);
    } catch (error) {
      this.#serving.onDefect(error);
    }
  }

  #say(message: ToFront, tensors: TensorFrame['tensors'] = []): void {
    this.#link.send(message, tensors);
  }
}
