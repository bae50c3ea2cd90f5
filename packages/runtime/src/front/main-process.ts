/** The main process as a front sees it: pipelines to submit to, tokens to take and a page to read, each by a question and its answer. */
import { AppError, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import type { PipelineOutcome } from '../data-plane/pending-request.js';
import type { SubmitOptions } from '../data-plane/pipeline-runner.js';
import type { AnsweredCall } from '../open-inference/answered-call.js';
import type { Runner } from '../open-inference/served-pipeline.js';
import type { ServingPhase } from '../open-inference/serving-phase.js';
import { StageTypes } from '../open-inference/stage-types.js';
import type { FrameLink, TensorFrame } from './frame-link.js';
import { type FromFront, receivedOutcome, type ServingState, sharedNowMs, type ToFront } from './messages.js';

/** Requests that the main process has not taken yet may hold so much memory here. */
const MOST_UNSENT_BYTES = 64 * 1024 ** 2;

/** An answer to one of the questions of this process. */
export type MainAnswer = Extract<ToFront, { readonly kind: 'outcome' | 'taken' | 'page' }>;

/** Asks the main process over a link. */
export class MainProcess {
  readonly runners: readonly Runner[];
  readonly stageTypes: ReadonlyMap<string, StageTypes>;
  readonly #link: FrameLink;
  readonly #runs = new Map<number, (outcome: PipelineOutcome) => void>();
  readonly #takes = new Map<number, (waitMs: number) => void>();
  readonly #pages = new Map<number, (text: string | undefined) => void>();
  #answered: AnsweredCall[] = [];
  #state: ServingState;
  #lastId = 0;

  constructor(link: FrameLink, specs: readonly PipelineSpec[], state: ServingState) {
    this.#link = link;
    this.#state = state;
    this.stageTypes = new Map(specs.map(({ name }) => [name, new StageTypes()]));
    this.runners = specs.map((spec) => this.#runner(spec));
    this.adopt(state);
  }

  get phase(): ServingPhase {
    return this.#state.phase;
  }

  /** Goes by another state from now on. */
  adopt(state: ServingState): void {
    this.#state = state;
    for (const [name, { types }] of Object.entries(state.pipelines)) this.stageTypes.get(name)?.adopt(types);
  }

  /** Hands an answer to who asked. */
  answer(message: MainAnswer, tensors: TensorFrame['tensors']): void {
    switch (message.kind) {
      case 'outcome':
        settle(this.#runs, message.id, receivedOutcome(message.outcome, tensors));
        return;
      case 'taken':
        settle(this.#takes, message.id, message.waitMs);
        return;
      case 'page':
        settle(this.#pages, message.id, message.text);
    }
  }

  /** Takes a token of a tenant's limit: 0, or the time in ms until there is one. */
  take(tenant: string): Promise<number> {
    return this.#ask(this.#takes, (id) => ({ kind: 'take', id, tenant }));
  }

  /**
   * The text of the metrics page, of all metrics or of those that `names` has; rejects with AppError INTERNAL_ERROR where the main process could
   * not write it, and reported that.
   */
  async page(names?: readonly string[]): Promise<string> {
    this.tellAnswered();
    const asked = names === undefined ? {} : { names };
    const text = await this.#ask<string | undefined>(this.#pages, (id) => ({ kind: 'page', id, ...asked }));
    if (text === undefined) throw new AppError('INTERNAL_ERROR', 'The metrics could not be written.');
    return text;
  }

  /** Counts an answer; those of one turn of the event loop are told together. */
  answered(call: AnsweredCall): void {
    if (this.#answered.push(call) === 1) setImmediate(() => this.tellAnswered());
  }

  /** Tells what was counted and not told yet. */
  tellAnswered(): void {
    const calls = this.#answered;
    this.#answered = [];
    if (calls.length > 0) this.say({ kind: 'answered', calls });
  }

  say(message: FromFront, tensors: TensorFrame['tensors'] = []): void {
    this.#link.send(message, tensors);
  }

  #ask<Answer>(waiting: Map<number, (answer: Answer) => void>, question: (id: number) => FromFront): Promise<Answer> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      waiting.set(id, resolve);
      this.say(question(id));
    });
  }

  #runner(spec: PipelineSpec): Runner {
    const isReady = () => this.#state.pipelines[spec.name]?.ready ?? false;
    return {
      spec,
      get ready() {
        return isReady();
      },
      get nowMs() {
        return sharedNowMs();
      },
      submit: (inputs, options) => this.#submit(spec.name, inputs, options),
    };
  }

  #submit(
    pipeline: string,
    inputs: TensorMap,
    { timeoutMs, arrivedAtMs = sharedNowMs(), priority, signal }: SubmitOptions = {},
  ): Promise<PipelineOutcome> {
    if (this.#link.unsentBytes > MOST_UNSENT_BYTES) {
      return Promise.resolve({ kind: 'dropped', reason: 'memory-full', retryAfterMs: 0 });
    }
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      const cancel = () => this.say({ kind: 'cancel', id });
      this.#runs.set(id, (outcome) => {
        signal?.removeEventListener('abort', cancel);
        resolve(outcome);
      });
      const bounds = { ...(timeoutMs !== undefined && { timeoutMs }), ...(priority !== undefined && { priority }) };
      this.say({ kind: 'run', id, pipeline, arrivedAtMs, ...bounds }, [inputs]);
      if (signal?.aborted) cancel();
      else signal?.addEventListener('abort', cancel, { once: true });
    });
  }
}

function settle<Answer>(waiting: Map<number, (answer: Answer) => void>, id: number, answer: Answer): void {
  const resolve = waiting.get(id);
  waiting.delete(id);
  resolve?.(answer);
}
