/** Ends requests. Each accepted request is completed, dropped or failed once. */
import { invariant } from '../kernel/invariant.js';
import type { DropReason } from '../model/request-outcome.js';
import type { RequestState, StageItem } from './request-state.js';
import type { SchedulerDeps } from './scheduler-deps.js';

/** End of an item that a join may tolerate. */
type Loss<Failure> =
  | { readonly kind: 'dropped'; readonly reason: DropReason; readonly stage: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

export class RequestEnds<Payload, Context, Failure> {
  readonly #deps: SchedulerDeps<Payload, Context, Failure>;
  /** Last loss per request. */
  readonly #losses = new WeakMap<RequestState<Payload, Context>, Loss<Failure>>();
  #inFlight = 0;

  constructor(deps: SchedulerDeps<Payload, Context, Failure>) {
    this.#deps = deps;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts an accepted request. */
  accept(): void {
    this.#inFlight += 1;
  }

  /** Completes a request that has all its outputs. */
  completeIfWhole(request: RequestState<Payload, Context>): void {
    if (request.ended || request.missingOutputs > 0) return;
    const { effects, lanes, clock } = this.#deps;
    this.#end(request);
    lanes.canary?.ended(request, clock.nowMs <= request.dueAtMs ? 'in-time' : 'missed');
    effects.complete(request, clock.nowMs);
  }

  drop(request: RequestState<Payload, Context>, reason: DropReason): void {
    if (request.ended) return;
    const { effects, lanes, clock } = this.#deps;
    this.#end(request);
    lanes.canary?.ended(request, 'missed');
    effects.drop(request, reason, clock.nowMs);
  }

  fail(request: RequestState<Payload, Context>, failure: Failure, nowMs = this.#deps.clock.nowMs): void {
    if (request.ended) return;
    const { effects, lanes } = this.#deps;
    this.#end(request);
    lanes.canary?.ended(request, 'failed');
    effects.fail(request, failure, nowMs);
  }

  /** Drops requests whose answers are not needed, with one pass over each queue. They do not count for a canary. */
  cancelAll(requests: readonly RequestState<Payload, Context>[], reason: DropReason): void {
    const { effects, clock } = this.#deps;
    const open = requests.filter(({ ended }) => !ended);
    this.#endAll(open);
    for (const request of open) effects.drop(request, reason, clock.nowMs);
  }

  /** Drops an item, and its request unless a later join can do without the item. */
  dropItem(item: StageItem<Payload, Context>, reason: DropReason): void {
    const { request, stage } = item;
    if (this.#deps.walk.canDiscard(stage)) this.#lose(item, { kind: 'dropped', reason, stage });
    else {
      if (!request.ended) request.droppedAtStage = stage;
      this.drop(request, reason);
    }
  }

  /** Fails an item, and its request unless a later join can do without the item. */
  failItem(item: StageItem<Payload, Context>, failure: Failure): void {
    item.withdrawn = true;
    if (this.#deps.walk.canDiscard(item.stage)) this.#lose(item, { kind: 'failed', failure });
    else this.fail(item.request, failure);
  }

  /** Ends a request that cannot be answered without its last loss. */
  endAsLost(request: RequestState<Payload, Context>): void {
    const loss = this.#losses.get(request);
    invariant(loss !== undefined, 'a request is given up for something that it lost');
    if (loss.kind === 'failed') this.fail(request, loss.failure);
    else {
      if (!request.ended) request.droppedAtStage = loss.stage;
      this.drop(request, loss.reason);
    }
  }

  /** Removes queued items of a request that joins no longer need. */
  discardCancelled(request: RequestState<Payload, Context>, stages: readonly number[]): void {
    const { lanes, walk } = this.#deps;
    for (const stage of stages) {
      if (request.queuedItems === 0) return;
      for (const lane of lanes.lanesOf(stage)) {
        lane.discard(request.level, (item) => item.request === request && walk.isCancelled(request, stage, item.scope));
        lanes.markDirty(lane);
      }
    }
  }

  #lose({ request, stage, scope }: StageItem<Payload, Context>, loss: Loss<Failure>): void {
    const { walk } = this.#deps;
    if (request.ended || walk.isCancelled(request, stage, scope)) return;
    this.#losses.set(request, loss);
    walk.lose(request, stage, scope);
    // A combine stage may answer once its last missing member is known to be lost.
    this.completeIfWhole(request);
  }

  #end(request: RequestState<Payload, Context>): void {
    this.#close(request);
    if (request.queuedItems > 0) this.#discardEnded(request.level);
  }

  #endAll(requests: readonly RequestState<Payload, Context>[]): void {
    const levels = new Set<number>();
    for (const request of requests) {
      this.#close(request);
      if (request.queuedItems > 0) levels.add(request.level);
    }
    for (const level of levels) this.#discardEnded(level);
  }

  #close(request: RequestState<Payload, Context>): void {
    request.ended = true;
    request.omissions?.requestEnded();
    this.#inFlight -= 1;
  }

  #discardEnded(level: number): void {
    for (const lane of this.#deps.lanes.all) lane.discard(level, ({ request }) => request.ended);
  }
}
