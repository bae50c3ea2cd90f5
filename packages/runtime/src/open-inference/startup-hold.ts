/**
 * Holds the first requests while the replicas start, instead of refusing them: bounded in requests, bytes and time.
 * Then the requests enter one after the other, in order of arrival. All at once would overload the first replicas, which
 * were planned for a rate.
 */
import type { AlarmClock, AppError, DropReason } from '@equipoise/core/model';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import type { CancelSignal } from '../data-plane/cancellation.js';
import { dropError } from '../net/refusal.js';

export interface HoldLimits {
  readonly mostRequests: number;
  readonly mostBytes: number;
  /** Maximum time of a request in the hold. */
  readonly mostMs: number;
}

/** The time is below the usual time-out of proxies and of `requestTimeoutMs` (60 s). */
const defaultHoldLimits: HoldLimits = { mostRequests: 64, mostBytes: 32 * 1024 * 1024, mostMs: 45_000 };

/** The next request enters at the latest after this time, even if the one before it still runs. */
const MOST_TURN_MS = 1000;

export interface HeldRequest {
  readonly bytes: number;
  readonly signal: CancelSignal;
  /** Requests of the same group enter together: the parts of one request wait for each other. */
  readonly group?: string | undefined;
  /** Told of a refusal, so that it is counted. */
  readonly refused?: ((reason: DropReason) => void) | undefined;
}

interface Waiting {
  readonly request: HeldRequest;
  readonly sinceMs: number;
  readonly enter: (heldMs: number) => void;
  readonly refuse: (error: Error) => void;
  readonly cancelAlarm: () => void;
}

export class StartupHold {
  readonly #limits: HoldLimits;
  readonly #clock: AlarmClock;
  readonly #bytes: BytesInFlight;
  #waiting: Waiting[] = [];
  #isOpen: boolean;
  #held = 0;
  /** Requests that entered in the current turn and still run. */
  #entered = 0;
  #cancelTurn = () => {};

  constructor(clock: AlarmClock, { isOpen, ...limits }: Partial<HoldLimits> & { readonly isOpen: boolean }) {
    this.#clock = clock;
    this.#limits = { ...defaultHoldLimits, ...limits };
    this.#bytes = new BytesInFlight(this.#limits.mostBytes);
    this.#isOpen = isOpen;
  }

  /** True once requests run without being held. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Requests held since the start. */
  get held(): number {
    return this.#held;
  }

  /** Throws AppError DROPPED if one more request cannot be held. */
  requirePlace(request: Pick<HeldRequest, 'refused'> = {}): void {
    if (this.#isOpen || this.#waiting.length < this.#limits.mostRequests) return;
    throw refusal(request, 'no-ready-replica');
  }

  /** Runs `work` once the hold opens; `heldMs` is the time until then. Rejects with AppError DROPPED beyond a limit. */
  async run<T>(request: HeldRequest, work: (heldMs: number) => Promise<T>): Promise<T> {
    if (this.#isOpen) return work(0);
    const heldMs = await this.#hold(request);
    try {
      return await work(heldMs);
    } finally {
      this.#entered -= 1;
      if (this.#entered === 0) this.#enterNext();
    }
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#enterNext();
  }

  /** Refuses what is held. */
  close(): void {
    this.#isOpen = true;
    this.#cancelTurn();
    for (const waiting of [...this.#waiting])
      this.#leave(waiting, () => waiting.refuse(refusal(waiting.request, 'draining')));
  }

  async #hold(request: HeldRequest): Promise<number> {
    this.requirePlace(request);
    if (request.signal.aborted) throw refusal(request, 'cancelled');
    if (!this.#bytes.take(request.bytes)) throw refusal(request, 'memory-full');
    this.#held += 1;
    return new Promise((enter, refuse) => {
      const sinceMs = this.#clock.nowMs();
      const late = () => this.#leave(waiting, () => refuse(refusal(request, 'no-ready-replica')));
      const cancelAlarm = this.#clock.ringAt(sinceMs + this.#limits.mostMs, late);
      const waiting: Waiting = { request, sinceMs, enter, refuse, cancelAlarm };
      this.#waiting.push(waiting);
      const gone = () => this.#leave(waiting, () => refuse(refusal(request, 'cancelled')));
      request.signal.addEventListener('abort', gone, { once: true });
    });
  }

  /** No effect if the request has already left. */
  #leave(waiting: Waiting, settle: () => void): void {
    if (!this.#waiting.includes(waiting)) return;
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    waiting.cancelAlarm();
    this.#bytes.release(waiting.request.bytes);
    settle();
  }

  /** Lets the first request enter, with its group. */
  #enterNext(): void {
    this.#cancelTurn();
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { group } = first.request;
    const together = group === undefined ? [first] : this.#waiting.filter(({ request }) => request.group === group);
    const nowMs = this.#clock.nowMs();
    this.#entered += together.length;
    this.#cancelTurn = this.#clock.ringAt(nowMs + MOST_TURN_MS, () => this.#enterNext());
    for (const waiting of together) this.#leave(waiting, () => waiting.enter(nowMs - waiting.sinceMs));
  }
}

function refusal({ refused }: Pick<HeldRequest, 'refused'>, reason: DropReason): AppError {
  refused?.(reason);
  return dropError(reason);
}
