/**
 * An open-loop load on a pipeline in this process. Each request carries its own number, which identifies its answer.
 */
import { preciseClock } from '@equipoise/adapter-embedded';
import type { Rng, TensorMap } from '@equipoise/core/model';
import { type ArrivalProcess, arrivalsOf, type LoadSpec } from '@equipoise/core/simulate';
import type { PipelineOutcome, PipelineRunner } from '@equipoise/runtime';

/** Outcome of a request; instants in ms from the start of the load. */
export interface ServedRequest {
  /** Due instant and actual instant of sending. */
  readonly dueAtMs: number;
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly kind: PipelineOutcome['kind'];
  /** True for an answered request whose answer belongs to it. */
  readonly ownContent: boolean;
}

/** Input of the request with this number, and a check that an answer belongs to it. */
export interface Content {
  inputs(number: number): TensorMap;
  isOwn(number: number, output: TensorMap): boolean;
}

/** The number as content, for stages that return their input. */
export const numbered: Content = {
  inputs: (number) => ({ input: { datatype: 'INT32', shape: [1], data: Int32Array.from([number]) } }),
  isOwn: (number, { input }) => Number(input?.data[0]) === number,
};

/** Load that is being sent. */
export interface SentLoad {
  /** Resolves when the load and all its requests have ended. */
  readonly ended: Promise<readonly ServedRequest[]>;
  /** Stops sending. */
  stop(): void;
}

/** Sends `load` from now on, regardless of the outcomes. */
export function sendLoad(
  runner: PipelineRunner,
  { load, rng, content = numbered, timeoutMs }: { load: LoadSpec; rng: Rng; content?: Content; timeoutMs?: number },
): SentLoad {
  const arrivals: ArrivalProcess = arrivalsOf(load, rng);
  const startedAtMs = preciseClock.nowMs();
  const pending: Promise<ServedRequest>[] = [];
  let stopped = false;
  const send = async (number: number, dueAtMs: number): Promise<ServedRequest> => {
    const arrivedAtMs = preciseClock.nowMs() - startedAtMs;
    const outcome = await runner.submit(content.inputs(number), timeoutMs === undefined ? {} : { timeoutMs });
    const ownContent = outcome.kind === 'completed' && content.isOwn(number, outcome.output);
    return { dueAtMs, arrivedAtMs, endedAtMs: preciseClock.nowMs() - startedAtMs, kind: outcome.kind, ownContent };
  };
  const sent = new Promise<void>((resolve) => {
    const next = (): void => {
      const dueAtMs = stopped ? undefined : arrivals.nextAtMs();
      if (dueAtMs === undefined) resolve();
      else
        preciseClock.ringAt(startedAtMs + dueAtMs, () => {
          if (!stopped) pending.push(send(pending.length, dueAtMs));
          next();
        });
    };
    next();
  });
  const stop = (): void => {
    stopped = true;
  };
  return { ended: sent.then(() => Promise.all(pending)), stop };
}
