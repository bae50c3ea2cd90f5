/** Items at the stages: queues, checks against the quarantine, and retries. */
import type { DropReason } from '../model/request-outcome.js';
import type { InputScreen } from './input-screen.js';
import type { RequestEnds } from './request-ends.js';
import { type RequestState, RetriedItem, StageItem } from './request-state.js';
import { type BatchFault, isCulprit, type Rerun, rerunAfter } from './rerun.js';
import type { SchedulerDeps } from './scheduler-deps.js';
import type { ServingStage } from './serving-graph.js';
import type { Scope } from './waiting-parts.js';

interface ItemDeps<Payload, Context, Failure> extends SchedulerDeps<Payload, Context, Failure> {
  readonly ends: RequestEnds<Payload, Context, Failure>;
  readonly screen: InputScreen<Payload, Context>;
}

/** An item has time for an answer if it comes this multiple of the least time before its deadline. */
const LEAST_TIME_FACTOR = 2;

interface EndedBatch {
  readonly fault: BatchFault;
  readonly batchSize: number;
  readonly isIsolated?: boolean;
}

export class StageItems<Payload, Context, Failure> {
  readonly #stages: readonly ServingStage[];
  readonly #deps: ItemDeps<Payload, Context, Failure>;
  readonly #arrivals: number[];
  /** Failures of batches whose items run alone. */
  readonly #failures = new WeakMap<StageItem<Payload, Context>, Failure>();
  #sequence = 0;

  constructor(stages: readonly ServingStage[], deps: ItemDeps<Payload, Context, Failure>) {
    this.#stages = stages;
    this.#deps = deps;
    this.#arrivals = stages.map(() => 0);
  }

  /** Items that came to a stage since the start, without retries. */
  arrivals(stage: number): number {
    return this.#arrivals[stage] as number;
  }

  enqueue(
    request: RequestState<Payload, Context>,
    stage: number,
    scope: Scope<Payload> | undefined,
    payload: Payload,
  ): void {
    const { lanes, walk, clock } = this.#deps;
    if (request.ended || walk.isCancelled(request, stage, scope)) return;
    this.#arrivals[stage] = (this.#arrivals[stage] as number) + 1;
    const place = { stage, scope, payload, enqueuedAtMs: clock.nowMs, sequence: this.#sequence++ };
    const item = new StageItem<Payload, Context>(request, place);
    if (!this.passes(item)) return;
    const lane = lanes.laneFor(item, clock.nowMs);
    if (lane.enqueue(item, clock.nowMs)) lanes.markDirty(lane);
  }

  drop(item: StageItem<Payload, Context>, reason: DropReason): void {
    const { ends, screen, clock } = this.#deps;
    item.request.trace?.dropped(item, clock.nowMs);
    // An input that ended its replica may find no time for its retry, although the stage copes.
    if (!item.isRetry && this.#hadTime(item) && !this.isAlike(item))
      screen.noteDropped(item, this.arrivals(item.stage), clock.nowMs);
    const failure = item.isRetry ? this.#failures.get(item) : undefined;
    if (failure !== undefined) ends.failItem(item, failure);
    else ends.dropItem(item, reason);
  }

  /** True if an item may run with others. Otherwise it was refused, or waits to run alone. */
  passes(item: StageItem<Payload, Context>): boolean {
    const { lanes, screen, clock } = this.#deps;
    const verdict = screen.verdictOn(item, clock.nowMs);
    if (verdict === 'free' && (item.request.ended || !this.isAlike(item))) return true;
    const main = lanes.main(item.stage);
    item.inCanary = false;
    if (verdict === 'guilty') this.refuse(item);
    else if (this.isAlike(item)) main.enqueueIsolated(item, clock.nowMs);
    else main.enqueueSuspect(item, clock.nowMs);
    lanes.markDirty(main);
    return false;
  }

  /** True if a suspect may run alone. Otherwise its input is guilty by now, and it was refused. */
  mayTryAlone(item: StageItem<Payload, Context>): boolean {
    const { screen, clock } = this.#deps;
    if (screen.verdictOn(item, clock.nowMs) !== 'guilty') return true;
    this.refuse(item);
    return false;
  }

  /** True if the request of an item is like culprits of its stage. */
  isAlike(item: StageItem<Payload, Context>): boolean {
    const { lanes, screen, clock } = this.#deps;
    const { replicas } = lanes.main(item.stage);
    return screen.isAlike(item, { replicas: replicas.length, isHopeless: !this.#hadTime(item) }, clock.nowMs);
  }

  /** False if an item came too late to be answered, which tells nothing about the stage or its other requests. */
  #hadTime({ stage, deadlineAtMs, enqueuedAtMs }: StageItem<Payload, Context>): boolean {
    return deadlineAtMs - enqueuedAtMs >= LEAST_TIME_FACTOR * this.#deps.lanes.main(stage).leastMs;
  }

  refuse(item: StageItem<Payload, Context>): void {
    const { ends, effects } = this.#deps;
    ends.failItem(item, effects.quarantineFailure(item.stage));
  }

  /** Has the inputs of all queued items of a stage checked again. */
  screenQueued(stage: number): void {
    for (const lane of this.#deps.lanes.lanesOf(stage)) lane.screenBefore = this.#sequence;
  }

  /** Ends an item of a batch that ended badly, unless it may run again. */
  runAgainOrFail(
    item: StageItem<Payload, Context>,
    { fault, batchSize, isIsolated = false }: EndedBatch,
    failure: Failure,
  ): void {
    const { lanes, ends, screen, clock } = this.#deps;
    item.request.trace?.failed(item);
    const main = lanes.main(item.stage);
    const isIdempotent = this.#stages[item.stage]?.idempotent === true;
    const isSuspect = isIdempotent && screen.verdictOn(item, clock.nowMs) !== 'free';
    const mayRun = isIdempotent || fault === 'unsent';
    const isAlike = this.isAlike(item);
    const batch = { batchSize, isSuspect, isIsolated };
    const rerun = mayRun ? rerunAfter(fault, item, batch) : 'never';
    if (isCulprit(fault, item, batch)) this.#noteCulprit(item);
    const runsAgain = !item.request.ended && main.fits(item, rerun, clock.nowMs);
    // A replica that is lost from outside tells nothing about a canary.
    const isLost = fault === 'lost' || fault === 'unsent';
    if (item.inCanary && !(runsAgain && isLost)) lanes.canary?.itemFailed(item, runsAgain);
    if (!runsAgain) {
      ends.failItem(item, failure);
      return;
    }
    const retry = this.#retryOf(item);
    if (retry === undefined) return;
    if (rerun === 'alone' && fault !== 'hung') this.#failures.set(retry, failure);
    this.#takeBack(retry, isAlike ? 'isolated' : rerun);
  }

  #takeBack(retry: StageItem<Payload, Context>, rerun: Rerun | 'isolated'): void {
    const { lanes, clock } = this.#deps;
    const main = lanes.main(retry.stage);
    if (rerun === 'isolated') main.takeBackIsolated(retry);
    else if (rerun === 'together') main.takeBack(retry, clock.nowMs);
    else main.takeBackAlone(retry);
    lanes.markDirty(main);
  }

  #noteCulprit(item: StageItem<Payload, Context>): void {
    this.#deps.screen.noteCulprit(item, this.#deps.clock.nowMs);
    this.screenQueued(item.stage);
  }

  /** Copy of an item for its retry; undefined if its result no longer counts. */
  #retryOf(item: StageItem<Payload, Context>): StageItem<Payload, Context> | undefined {
    const { walk, clock } = this.#deps;
    const { request, stage, scope, payload } = item;
    if (item.withdrawn || request.ended || walk.isCancelled(request, stage, scope)) return undefined;
    item.withdrawn = true;
    const place = { stage, scope, payload, enqueuedAtMs: clock.nowMs, sequence: this.#sequence++ };
    return new RetriedItem<Payload, Context>(request, place);
  }
}
