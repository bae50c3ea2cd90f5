/**
 * Server-sent events (HTML Living Standard §9.2). A client that falls too far behind is disconnected; after
 * reconnecting it continues with `Last-Event-ID`.
 */
import type { ServerResponse } from 'node:http';
import { AppError } from '@equipoise/core/model';
import type { EventFeed, FeedEvent } from './event-feed.js';

/** Maximum clients at a time, and maximum unsent bytes of one client. */
const MOST_STREAMS = 16;
const MOST_BEHIND_BYTES = 256 * 1024;
const HEARTBEAT_MS = 15_000;
export const EVENT_STREAM = 'text/event-stream';

export interface StreamQuestion {
  readonly pipeline?: string;
  readonly afterId?: number;
}

export class EventStreams {
  readonly #feed: EventFeed;
  /** Functions that stop listening, by open response. */
  readonly #open = new Map<ServerResponse, () => void>();

  constructor(feed: EventFeed) {
    this.#feed = feed;
  }

  /** Throws AppError RATE_LIMITED if too many clients listen. */
  requireRoom(): void {
    if (this.#open.size >= MOST_STREAMS)
      throw new AppError('RATE_LIMITED', `${MOST_STREAMS} clients already listen to the events.`);
  }

  begin(response: ServerResponse, { pipeline, afterId }: StreamQuestion): void {
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
    response.on('error', () => {});
  }

  /** Ends all streams. Events written before still reach the clients. */
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
