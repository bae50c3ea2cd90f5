/**
 * Events as server-sent events (HTML Living Standard §9.2). What a client has not taken yet is bounded: one that is too slow is cut off, and
 * goes on from where it was with `Last-Event-ID` when it comes back.
 */
import type { ServerResponse } from 'node:http';
import { AppError } from '@equipoise/core/model';
import type { EventFeed, FeedEvent } from './event-feed.js';

/** Clients that may listen at a time, and bytes that one may be behind. */
const MOST_STREAMS = 16;
const MOST_BEHIND_BYTES = 256 * 1024;
const HEARTBEAT_MS = 15_000;
/** The type of the answer. */
export const EVENT_STREAM = 'text/event-stream';

/** Which events a client wants: of one pipeline or all, from behind the event `afterId` on. */
export interface StreamQuestion {
  readonly pipeline?: string;
  readonly afterId?: number;
}

/** The streams of one server. */
export class EventStreams {
  readonly #feed: EventFeed;
  /** Those that listen, with what ends their listening. */
  readonly #open = new Map<ServerResponse, () => void>();

  constructor(feed: EventFeed) {
    this.#feed = feed;
  }

  /** Answers with events until the client goes or `close`; AppError RATE_LIMITED where too many listen already. */
  begin(response: ServerResponse, { pipeline, afterId }: StreamQuestion): void {
    if (this.#open.size >= MOST_STREAMS)
      throw new AppError('RATE_LIMITED', `${MOST_STREAMS} clients listen to the events already.`);
    response.writeHead(200, { 'content-type': EVENT_STREAM, 'cache-control': 'no-store' });
    response.write(': events\n\n');
    const tell = (event: FeedEvent) => {
      if (pipeline !== undefined && event.pipeline !== pipeline) return;
      response.write(textOf(event));
      if (response.writableLength > MOST_BEHIND_BYTES) response.destroy();
    };
    for (const event of afterId === undefined ? [] : this.#feed.since(afterId)) tell(event);
    const stop = this.#feed.listen(tell);
    const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
    heartbeat.unref();
    this.#open.set(response, () => {
      clearInterval(heartbeat);
      stop();
      this.#open.delete(response);
    });
    response.on('close', () => this.#open.get(response)?.());
    // A connection that fails closes, too.
    response.on('error', () => {});
  }

  /** Ends all streams; what happens from now on is told to nobody, also where a client has yet to take what came before. */
  close(): void {
    for (const [response, stopListening] of [...this.#open]) {
      stopListening();
      response.end();
    }
  }
}

function textOf({ id, kind, facts, ...where }: FeedEvent): string {
  return `id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify({ ...where, kind, ...facts })}\n\n`;
}
