/**
 * Answers by id for clients that listen, as server-sent events (HTML Living Standard §9.2) or messages of gRPC. Every
 * request has one event, also if its parts came from several sources. Nothing is kept: a client hears what ends while it
 * listens. A client that falls too far behind is disconnected.
 */
import { AppError, type TensorMap } from '@equipoise/core/model';
import { encodeNested, nestedPieces } from '@equipoise/open-inference-codec';
import { tensorBytes } from '../data-plane/bytes-in-flight.js';
import type { Answer, StreamSink } from '../net/answer.js';
import { refusal } from '../net/refusal.js';
import type { CompletedTensors } from './client-batch.js';

/** Listeners of the server, and of one tenant; unsent bytes of one listener. */
const MOST_LISTENERS = 64;
const MOST_OF_TENANT = 16;
const MOST_BEHIND_BYTES = 1024 * 1024;
/** Tensors of one event. Writing larger ones would take too much of the serving thread. */
const MOST_EVENT_BYTES = 64 * 1024;
const HEARTBEAT_MS = 15_000;

/** A request as its event names it. */
export interface AnsweredRequest {
  readonly id: string;
  readonly pipeline: string;
  /** Undefined if the server has no tenants. */
  readonly tenant: string | undefined;
}

export interface CompletedRun extends CompletedTensors {
  readonly latencyMs: number;
}

export type FeedPlace = Pick<AnsweredRequest, 'pipeline' | 'tenant'>;

/** End of a request: its answer, or its error. */
export type FeedEvent = { readonly request: AnsweredRequest } & (
  | { readonly kind: 'answer'; readonly run: CompletedRun }
  | { readonly kind: 'failure'; readonly error: unknown }
);

export interface FeedListener {
  /** Form of the event; listeners with the same function share one encoding. */
  readonly encode: (event: FeedEvent) => string | Uint8Array;
  /** Bytes that have not left yet. */
  readonly unsentBytes: number;
  tell(event: string | Uint8Array): void;
  end(): void;
  /** Disconnects a client that fell too far behind. */
  cutOff(): void;
}

type Listener = FeedPlace & { readonly to: FeedListener };

export class AnswerFeed {
  readonly #listeners = new Set<Listener>();
  /** Outcomes that were told. The parts of a request share one. */
  readonly #told = new WeakSet<object>();

  /** The head of a stream, or AppError RATE_LIMITED if too many clients listen. */
  listen(place: FeedPlace): Answer {
    this.requireRoom(place);
    return {
      status: 200,
      contentType: 'text/event-stream',
      headers: { 'cache-control': 'no-store' },
      text: '',
      stream: (sink) => this.#stream(place, sink),
    };
  }

  requireRoom({ tenant }: FeedPlace): void {
    const ofTenant = [...this.#listeners].filter((each) => each.tenant === tenant).length;
    if (this.#listeners.size >= MOST_LISTENERS || ofTenant >= MOST_OF_TENANT)
      throw new AppError('RATE_LIMITED', `${ofTenant} clients of this tenant already listen to answers.`);
  }

  /** Returns the end of the subscription. */
  subscribe(place: FeedPlace, to: FeedListener): () => void {
    const listener = { ...place, to };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  completed(request: AnsweredRequest, outcome: object, run: CompletedRun): void {
    this.#tell({ kind: 'answer', request, run }, outcome);
  }

  failed(request: AnsweredRequest, outcome: object, error: unknown): void {
    this.#tell({ kind: 'failure', request, error }, outcome);
  }

  /** Ends all streams. */
  close(): void {
    for (const { to } of [...this.#listeners]) to.end();
  }

  #stream(place: FeedPlace, sink: StreamSink): void {
    const heartbeat = setInterval(() => sink.write(': still here\n\n'), HEARTBEAT_MS);
    heartbeat.unref();
    const unsubscribe = this.subscribe(place, {
      encode: serverSentEvent,
      get unsentBytes() {
        return sink.unsentBytes;
      },
      tell: (event) => sink.write(event as string),
      end: () => {
        stop();
        sink.end();
      },
      cutOff: () => sink.destroy(),
    });
    const stop = () => {
      clearInterval(heartbeat);
      unsubscribe();
    };
    sink.onClose(stop);
    sink.write(': answers\n\n');
  }

  #tell(event: FeedEvent, outcome: object): void {
    if (this.#listeners.size === 0) return;
    const { pipeline, tenant } = event.request;
    const listeners = [...this.#listeners].filter((each) => each.pipeline === pipeline && each.tenant === tenant);
    if (listeners.length === 0 || this.#told.has(outcome)) return;
    this.#told.add(outcome);
    const encoded = new Map<FeedListener['encode'], string | Uint8Array>();
    for (const { to } of listeners) {
      const known = encoded.get(to.encode) ?? to.encode(event);
      encoded.set(to.encode, known);
      to.tell(known);
      if (to.unsentBytes > MOST_BEHIND_BYTES) to.cutOff();
    }
  }
}

function serverSentEvent(event: FeedEvent): string {
  const { kind, request } = event;
  return `event: ${kind}\ndata: ${event.kind === 'answer' ? answerText(request, event.run) : failureText(request, event.error)}\n\n`;
}

function failureText({ id, pipeline }: AnsweredRequest, error: unknown): string {
  const { status, text } = refusal(error);
  return `{"id":${JSON.stringify(id)},"pipeline":${JSON.stringify(pipeline)},"status":${status},${text.slice(1)}`;
}

/** Outputs of an event; none if they are large. `omittedBytes` is their size then. */
export function eventOutputs({ output }: CompletedRun, mostBytes = MOST_EVENT_BYTES) {
  const bytes = tensorBytes(output);
  return bytes > mostBytes ? { outputs: {}, omittedBytes: bytes } : { outputs: output };
}

/** The answer as JSON in one line. Tensors of an event are left out if they are large. */
export function answerText(
  { id, pipeline }: Pick<AnsweredRequest, 'id' | 'pipeline'>,
  run: CompletedRun,
  mostBytes = MOST_EVENT_BYTES,
): string {
  const { missing, latencyMs } = run;
  const { outputs: sent, omittedBytes } = eventOutputs(run, mostBytes);
  const outputs = omittedBytes === undefined ? `"outputs":${outputsText(sent)}` : `"omittedBytes":${omittedBytes}`;
  return `{${namedText({ id, pipeline })},${outputs}${endText({ missing, latencyMs })}`;
}

/** The text of `answerText` with all outputs, in pieces. */
export function* answerPieces(names: Pick<AnsweredRequest, 'id' | 'pipeline'>, run: CompletedRun): Generator<string> {
  let before = `{${namedText(names)},"outputs":{`;
  for (const [name, tensor] of Object.entries(run.output)) {
    yield `${before}${JSON.stringify(name)}:`;
    yield* nestedPieces(tensor);
    before = ',';
  }
  yield `}${endText(run)}`;
}

function namedText({ id, pipeline }: Pick<AnsweredRequest, 'id' | 'pipeline'>): string {
  return `"id":${JSON.stringify(id)},"pipeline":${JSON.stringify(pipeline)}`;
}

function endText({ missing, latencyMs }: Pick<CompletedRun, 'missing' | 'latencyMs'>): string {
  const gaps = missing === undefined ? '' : `,"missing":${JSON.stringify(missing)}`;
  return `${gaps},"latencyMs":${latencyMs.toFixed(3)}}`;
}

function outputsText(output: TensorMap): string {
  const tensors = Object.entries(output).map(([name, tensor]) => `${JSON.stringify(name)}:${encodeNested(tensor)}`);
  return `{${tensors.join(',')}}`;
}
