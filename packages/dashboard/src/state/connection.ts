/** How the page is connected to the server, and the words for it. */
import { type ApiFailure, failureText } from '../api/admin-client.js';
import { durationText } from '../format/figures.js';

/** State of the event stream. `refused`: the server answers, but not with events, for example to too many pages. */
export type StreamState = 'connecting' | 'open' | 'refused';

/** `polling`: without events, so decisions appear some seconds late. `late`: the next reading is overdue. */
export type Connection = 'connecting' | 'live' | 'polling' | 'late' | 'lost';

export const CONNECTION_NAMES: Readonly<Record<Connection, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Live without events',
  late: 'Waiting for the server',
  lost: 'Reconnecting',
};

interface ConnectionFacts {
  readonly failure: ApiFailure | undefined;
  /** Time since the last reading; undefined before the first. */
  readonly readAgeMs: number | undefined;
  readonly stream: StreamState;
}

/** Readings come once a second. */
const LATE_MS = 6000;

export function connectionOf({ failure, readAgeMs, stream }: ConnectionFacts): Connection {
  if (failure !== undefined) return 'lost';
  if (readAgeMs === undefined) return 'connecting';
  if (readAgeMs > LATE_MS) return 'late';
  if (stream === 'connecting') return 'connecting';
  return stream === 'open' ? 'live' : 'polling';
}

const TOO_MANY_REQUESTS = 429;

/** Title of the banner over figures that are no longer read. */
export function failureTitle(failure: ApiFailure): string {
  switch (failure.kind) {
    case 'unreachable':
      return 'Connection lost.';
    case 'unauthenticated':
      return 'The token is not valid any more.';
    case 'not-found':
      return failure.isRoute ? 'This server is older than this page.' : 'The pipeline is gone.';
    case 'refused':
      return failure.status === TOO_MANY_REQUESTS ? 'The server is asked too often.' : 'The server cannot answer.';
  }
}

export function failureRemedy(failure: ApiFailure): string {
  if (failure.kind === 'refused' && failure.status === TOO_MANY_REQUESTS)
    return `${failureText(failure)} Close other tabs of this page, or end scripts that ask.`;
  return failureText(failure);
}

const SKEW_SHOWN_MS = 5000;

/** Sentence about a clock of the server that differs from the clock of this machine; undefined if it hardly does. */
export function skewText(skewMs: number): string | undefined {
  if (Math.abs(skewMs) <= SKEW_SHOWN_MS) return undefined;
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return `The clock of the server is ${durationText(Math.abs(skewMs))} ${direction} this machine. Times on this page are those of the server.`;
}
