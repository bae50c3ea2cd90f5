/**
 * Server process of the overload over HTTP. It reports the time of each drop to its parent. Requests carry their number
 * in a tensor, so that the parent can measure the time from the decision to the client's answer.
 */
import { type ServerOptions, startServer } from '@equipoise/runtime';
import { type BenchStage, startBenchPipeline } from './bench-pipeline.js';

/** First message of the parent. */
export interface OverloadServerStart {
  readonly stages: readonly BenchStage[];
  readonly sloLatencyMs: number;
  /** Value of the tensor `number` in request 0. */
  readonly numberPlace: number;
}

/** Messages of the server: its address, its memory, and drops by request number. */
export type OverloadServerMessage =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'memory'; readonly keptBytes: number }
  | { readonly kind: 'drops'; readonly number: readonly number[]; readonly decidedAtMs: readonly number[] };

/** Drops are reported in groups, so that they need little memory and time of this process. */
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
    get statistics() {
      return runner.statistics;
    },
    accuracy: undefined,
    stageCounts: () => runner.stageCounts(),
    submit: async (inputs, options) => {
      const asked = Number(inputs['number']?.data[0]) - numberPlace;
      const outcome = await runner.submit(inputs, options);
      if (outcome.kind === 'dropped') noteDrop(asked);
      return outcome;
    },
    refuseBatch: (items, options) => runner.refuseBatch(items, options),
    refusedEarly: (reason, request) => runner.refusedEarly(reason, request),
    submitBatch: (items, options) => runner.submitBatch(items, options),
    submitPart: (place, inputs, options) => runner.submitPart(place, inputs, options),
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
