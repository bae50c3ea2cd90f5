/**
 * Walks outputs of stages on through the graph. Conditions of edges cost time of the driver's thread, so the walk pauses
 * after some steps, until the driver calls `walkOn`. Among the clients whose outputs wait, the one with the fewest steps
 * goes first.
 */
import { RingBuffer } from '../kernel/ring-buffer.js';
import type { ServingReplica } from './replica.js';
import type { RequestState, StageItem } from './request-state.js';
import type { ServingStage } from './serving-graph.js';

/** Steps of conditions between two pauses. They take 2 to 8 ms. */
const SLICE_STEPS = 20_000;
/** Steps that the walk of an output costs without conditions. */
const OUTPUT_STEPS = 20;

interface WalkEffects<Payload, Context> {
  /** Steps of conditions since the start. */
  steps(): number;
  walk(item: StageItem<Payload, Context>, replica: ServingReplica<Payload, Context>, output: Payload): void;
  /** Ends an item whose deadline passed while its output waited. */
  expire(item: StageItem<Payload, Context>): void;
  /** Requests a call of `walkOn`. Without it, no walk pauses. */
  readonly pause: (() => void) | undefined;
}

interface WaitingOutput<Payload, Context> {
  readonly item: StageItem<Payload, Context>;
  readonly replica: ServingReplica<Payload, Context>;
  readonly output: Payload;
}

/** `steps` are relative to those of other clients. */
interface WaitingClient<Payload, Context> {
  readonly client: object;
  readonly outputs: RingBuffer<WaitingOutput<Payload, Context>>;
  steps: number;
}

export class WalkSlices<Payload, Context> {
  readonly #effects: WalkEffects<Payload, Context>;
  /** By stage, true if an output of it may need a condition. */
  readonly #mayDecide: readonly boolean[];
  readonly #waiting = new Map<object, WaitingClient<Payload, Context>>();
  #stepsLeft = SLICE_STEPS;

  constructor(nodes: readonly ServingStage[], effects: WalkEffects<Payload, Context>) {
    this.#effects = effects;
    this.#mayDecide = nodes.map((node) => effects.pause !== undefined && mayDecide(nodes, node));
  }

  /** Walks an output on, now or later. */
  take(item: StageItem<Payload, Context>, replica: ServingReplica<Payload, Context>, output: Payload): void {
    if (!this.#mayDecide[item.stage]) this.#effects.walk(item, replica, output);
    else if (this.#waiting.size === 0 && this.#stepsLeft > 0) this.#walk({ item, replica, output });
    else this.#wait({ item, replica, output });
  }

  /** Adds the request of each output to `walked` before its walk. */
  walkOn(walked: RequestState<Payload, Context>[], nowMs: number): void {
    this.#stepsLeft = SLICE_STEPS;
    try {
      for (let next = this.#lightest(); next !== undefined && this.#stepsLeft > 0; next = this.#lightest()) {
        const waiting = next.outputs.shift() as WaitingOutput<Payload, Context>;
        if (next.outputs.length === 0) this.#waiting.delete(next.client);
        const { item } = waiting;
        walked.push(item.request);
        if (item.request.ended) continue;
        if (nowMs >= item.deadlineAtMs) this.#effects.expire(item);
        else next.steps += this.#walk(waiting);
      }
    } finally {
      if (this.#waiting.size > 0) this.#effects.pause?.();
    }
  }

  /** Returns the steps. */
  #walk({ item, replica, output }: WaitingOutput<Payload, Context>): number {
    const before = this.#effects.steps();
    this.#effects.walk(item, replica, output);
    const steps = OUTPUT_STEPS + this.#effects.steps() - before;
    this.#stepsLeft -= steps;
    return steps;
  }

  #wait(output: WaitingOutput<Payload, Context>): void {
    const { request } = output.item;
    const client = request.client ?? request;
    let waiting = this.#waiting.get(client);
    if (waiting === undefined) {
      if (this.#waiting.size === 0) this.#effects.pause?.();
      waiting = { client, outputs: new RingBuffer(), steps: this.#lightest()?.steps ?? 0 };
      this.#waiting.set(client, waiting);
    }
    waiting.outputs.push(output);
  }

  #lightest(): WaitingClient<Payload, Context> | undefined {
    let lightest: WaitingClient<Payload, Context> | undefined;
    for (const each of this.#waiting.values())
      if (lightest === undefined || each.steps < lightest.steps) lightest = each;
    return lightest;
  }
}

/** The items of a combine stage never wait, so its conditions belong to the walk that reaches it. */
function mayDecide(nodes: readonly ServingStage[], { outEdges }: ServingStage): boolean {
  return outEdges.some(({ condition, to }) => {
    const next = nodes[to];
    return condition !== undefined || (next?.combine !== undefined && mayDecide(nodes, next));
  });
}
