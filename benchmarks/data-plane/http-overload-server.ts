/**
 * The server of the overload over HTTP, a process of its own. It tells its parent when each request was dropped: requests bring their
 * number in a tensor, so that the parent can say how long after the decision the client had its answer.
 */
import { type ServerOptions, startServer } from '@equipoise/runtime';
import { type BenchStage, startBenchPipeline } from './bench-pipeline.js';

/** What the parent sends first. */
export interface OverloadServerStart {
  readonly stages: readonly BenchStage[];
  readonly sloLatencyMs: number;
  /** What the tensor `number` of request 0 holds. */
  readonly numberPlace: number;
}

/** What the server tells: where it is, what it keeps in memory, and drops by the number of their request. */
export type OverloadServerMessage =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'memory'; readonly keptBytes: number }
  | { readonly kind: 'drops'; readonly number: readonly number[]; readonly decidedAtMs: readonly number[] };

/** Drops are told in parcels, so that they neither fill this process's memory nor cost it much time. */
const PARCEL = 500;

const tell = (message: OverloadServerMessage): void => void process.send?.(message);
let number: number[] = [];
let decidedAtMs: number[] = [];

process.once('message', async (message) => {
  const { stages, sloLatencyMs, numberPlace } = message as OverloadServerStart;
  const { runner, close } = await startBenchPipeline(stages, sloLatencyMs);
  const watched: ServerOptions['runners'][number] = {
    spec: runner.spec,
    get ready() {
      return runner.ready;
    },
    get nowMs() {
      return runner.nowMs;
    },
    submit: async (inputs, options) => {
      const asked = Number(inputs['number']?.data[0]) - numberPlace;
      const outcome = await runner.submit(inputs, options);
      if (outcome.kind === 'dropped') noteDrop(asked);
      return outcome;
    },
  };
  const server = await startServer({ runners: [watched], version: 'benchmark', port: 0 });
  process.on('message', (question) => {
    if (question === 'memory') tell({ kind: 'memory', keptBytes: keptBytes() });
    else
      void server
        .close()
        .then(close)
        .then(() => process.exit());
  });
  tell({ kind: 'ready', url: server.url });
});

function noteDrop(asked: number): void {
  number.push(asked);
  decidedAtMs.push(Number(process.hrtime.bigint()) / 1e6);
  if (number.length >= PARCEL) tellDrops();
}

function tellDrops(): void {
  tell({ kind: 'drops', number, decidedAtMs });
  number = [];
  decidedAtMs = [];
}

function keptBytes(): number {
  tellDrops();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
