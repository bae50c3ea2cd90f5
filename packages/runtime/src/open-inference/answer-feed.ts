/**
 * Answers by id for clients that listen, as server-sent events (HTML Living Standard §9.2). Every request has one event,
 * also if its parts came from several sources. Nothing is kept: a client hears what ends while it listens. A client that
 * falls too far behind is disconnected.
 */
import { AppError, type TensorMap } from '@equipoise/core/model';
import { encodeNested } from '@equipoise/open-inference-codec';
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
interface AnsweredRequest {
  readonly id: string;
  readonly pipeline: string;
  /** Undefined if the server has no tenants. */
  readonly tenant: string | undefined;
}

interface CompletedRun extends CompletedTensors {
  readonly latencyMs: number;
}

interface Listener extends Pick<AnsweredRequest, 'pipeline' | 'tenant'> {
  tell(event: string): void;
  end(): void;
}

export class AnswerFeed {
  readonly #listeners = new Set<Listener>();
  /** Outcomes that were told. The parts of a request share one. */
  readonly #told = new WeakSet<object>();

  /** The head of a stream, or AppError RATE_LIMITED if too many clients listen. */
  listen(place: Pick<AnsweredRequest, 'pipeline' | 'tenant'>): Answer {
    const ofTenant = [...this.#listeners].filter(({ tenant }) => tenant === place.tenant).length;
    if (this.#listeners.size >= MOST_LISTENERS || ofTenant >= MOST_OF_TENANT)
      throw new AppError('RATE_LIMITED', `${ofTenant} clients of this tenant already listen to answers.`);
    return {
      status: 200,
      contentType: 'text/event-stream',
      headers: { 'cache-control': 'no-store' },
      text: '',
      stream: (sink) => this.#begin(place, sink),
    };
  }

  completed(request: AnsweredRequest, outcome: object, run: CompletedRun): void {
    this.#tell(request, outcome, 'answer', () => answerText(request, run));
  }

  failed(request: AnsweredRequest, outcome: object, error: unknown): void {
    this.#tell(request, outcome, 'failure', () => {
      const { status, text } = refusal(error);
      return `{"id":${JSON.stringify(request.id)},"pipeline":${JSON.stringify(request.pipeline)},"status":${status},${text.slice(1)}`;
    });
  }

  /** Ends all streams. */
  close(): void {
    for (const listener of [...this.#listeners]) listener.end();
  }

  #begin(place: Pick<AnsweredRequest, 'pipeline' | 'tenant'>, sink: StreamSink): void {
    const heartbeat = setInterval(() => sink.write(': still here\n\n'), HEARTBEAT_MS);
    heartbeat.unref();
    const listener: Listener = {
      ...place,
      tell: (event) => {
        sink.write(event);
        if (sink.unsentBytes > MOST_BEHIND_BYTES) sink.destroy();
      },
      end: () => {
        stop();
        sink.end();
      },
    };
    const stop = () => {
      clearInterval(heartbeat);
      this.#listeners.delete(listener);
    };
    this.#listeners.add(listener);
    sink.onClose(stop);
    sink.write(': answers\n\n');
  }

  #tell({ pipeline, tenant }: AnsweredRequest, outcome: object, kind: 'answer' | 'failure', text: () => string): void {
    if (this.#listeners.size === 0) return;
    const listeners = [...this.#listeners].filter((each) => each.pipeline === pipeline && each.tenant === tenant);
    if (listeners.length === 0 || this.#told.has(outcome)) return;
    this.#told.add(outcome);
    const event = `event: ${kind}\ndata: ${text()}\n\n`;
    for (const listener of listeners) listener.tell(event);
  }
}

/** The answer as JSON in one line. Tensors of an event are left out if they are large. */
export function answerText(
  { id, pipeline }: Pick<AnsweredRequest, 'id' | 'pipeline'>,
  { output, missing, latencyMs }: CompletedRun,
  mostBytes = MOST_EVENT_BYTES,
): string {
  const bytes = tensorBytes(output);
  const outputs = bytes > mostBytes ? `"omittedBytes":${bytes}` : `"outputs":${outputsText(output)}`;
  const gaps = missing === undefined ? '' : `,"missing":${JSON.stringify(missing)}`;
  const named = `"id":${JSON.stringify(id)},"pipeline":${JSON.stringify(pipeline)}`;
  return `{${named},${outputs}${gaps},"latencyMs":${latencyMs.toFixed(3)}}`;
}

function outputsText(output: TensorMap): string {
  const tensors = Object.entries(output).map(([name, tensor]) => `${JSON.stringify(name)}:${encodeNested(tensor)}`);
  return `{${tensors.join(',')}}`;
}
