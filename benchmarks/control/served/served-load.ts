/** An open-loop load on a pipeline in this process. Each request carries a number of its own and is told from all others by it. */
import { preciseClock } from '@equipoise/adapter-embedded';
import type { Rng, TensorMap } from '@equipoise/core/model';
import { type ArrivalProcess, arrivalsOf, type LoadSpec } from '@equipoise/core/simulate';
import type { PipelineOutcome, PipelineRunner } from '@equipoise/runtime';

/** What became of a request; instants in ms from the start of the load. */
export interface ServedRequest {
  /** When it was to be sent, and was. */
  readonly dueAtMs: number;
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly kind: PipelineOutcome['kind'];
  /** Of what was answered: whether it is the answer to this very request. */
  readonly ownContent: boolean;
}

/** The input of the request with this number, and whether an answer is its own. */
export interface Content {
  inputs(number: number): TensorMap;
  isOwn(number: number, output: TensorMap): boolean;
}

/** The number itself, for stages that hand on what they are given. */
export const numbered: Content = {
  inputs: (number) => ({ input: { datatype: 'INT32', shape: [1], data: Int32Array.from([number]) } }),
  isOwn: (number, { input }) => Number(input?.data[0]) === number,
};

/** A load that is being sent. */
export interface SentLoad {
  /** Resolves when it has ended and every request has. */
  readonly ended: Promise<readonly ServedRequest[]>;
  /** Sends no more. */
  stop(): void;
}

/** Sends `load` from now on, whatever becomes of the requests. */
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
