/**
 * Life cycle of a call, the same for REST, gRPC, admin and probes: find its route, admit the caller, run the endpoint,
 * reserve memory for the answer, write it. Any error becomes a refusal. A protocol (HttpCall, GrpcCall) reads and
 * writes; a port decides who may call.
 */
import { randomUUID } from 'node:crypto';
import { AppError, type ErrorCode, isServerFault } from '@equipoise/core/model';
import type { BytesInFlight, InboundBytes, PageBytes } from '../data-plane/bytes-in-flight.js';
import { Cancellation } from '../data-plane/cancellation.js';
import { StageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import { noPressure, type Pressure } from './accept-pressure.js';
import type { AsideTurns } from './aside-turns.js';
import type { ServingPhase } from './drain.js';
import { dropError } from './refusal.js';

/** Probes need no token; probes and metrics are not counted; probes take no outbound bytes. */
export type Purpose = 'inference' | 'metadata' | 'probe' | 'metrics';

/** A counted answer. `code` is the code of its error, or OK. */
export interface AnsweredCall {
  readonly protocol: 'rest' | 'grpc';
  readonly code: ErrorCode | 'OK';
  /** Set if the caller is a known tenant. */
  readonly tenant?: string;
}

export interface CallRules {
  readonly maxBodyBytes: number;
  /** Bytes of unfinished request bodies, over all connections. */
  readonly inbound: InboundBytes;
  /** Bytes of unsent inference answers, over all connections. */
  readonly outbound: BytesInFlight;
  /** Bytes of unsent metrics and metadata, which stay available when `outbound` is full. */
  readonly pages: PageBytes;
  /** New clients of the server. While they wait, bodies are read in smaller parts. */
  readonly pressure?: Pressure | undefined;
  /** Turns of pages and of refusals of invalid requests. Without them, these are answered at once. */
  readonly aside?: AsideTurns | undefined;
  /** Maximum time from the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  readonly phase: () => ServingPhase;
  /** Receives defects: errors that are not AppErrors. */
  readonly onDefect: (error: unknown) => void;
  /** Receives failures of stages, with the stage's error as `cause`. */
  readonly onStageFailure: (failure: StageFailure) => void;
  /** Receives every counted answer; must not throw. */
  readonly onAnswer: (call: AnsweredCall) => void;
}

export interface Caller {
  readonly name: string;
}

/** A call with route `R`, answer `A` and caller `C`. */
export abstract class Call<R extends { readonly purpose: Purpose }, A, C extends Caller = Caller> {
  protected readonly rules: CallRules;
  protected readonly requestId: string;
  /** Aborts when the client goes away, or the call ends early. */
  protected readonly signal = new Cancellation();
  /** True if another server has answered and counted the call. */
  protected isForeign = false;
  readonly #protocol: AnsweredCall['protocol'];
  #purpose: Purpose | undefined;
  #caller: C | undefined;
  #outbound: Pick<BytesInFlight, 'take' | 'release'> | undefined;
  #outboundBytes = 0;
  #isCounted = false;
  #isOver = false;

  protected constructor(rules: CallRules, protocol: AnsweredCall['protocol'], givenId: unknown) {
    this.rules = rules;
    this.#protocol = protocol;
    this.requestId = requestIdOf(givenId);
  }

  /** Never rejects. */
  async serve(): Promise<void> {
    try {
      const route = this.route();
      this.#purpose = route.purpose;
      this.#caller = this.authenticate(route);
      this.admit(route, this.#caller);
      const { aside } = this.rules;
      if (aside !== undefined && (route.purpose === 'metrics' || route.purpose === 'metadata')) {
        await new Promise<void>((resolve) => aside.take(this.connection, this, resolve));
      }
      this.#answer(await this.run(route));
    } catch (error) {
      this.fail(error);
    }
  }

  /** The tenant, if the server knows its tenants. */
  protected get caller(): C | undefined {
    return this.#caller;
  }

  protected get isOver(): boolean {
    return this.#isOver;
  }

  protected get pressure(): Pressure {
    return this.rules.pressure ?? noPressure;
  }

  protected abstract get connection(): object;

  /** True if a part of the request has been read, and the rest has not. */
  protected abstract get isReading(): boolean;

  /** Finds the route; throws an AppError if it is unknown. */
  protected abstract route(): R;

  /** The tenant, if any; throws an AppError if the caller has no access. Runs before the body is read. */
  protected abstract authenticate(route: R): C | undefined;

  /** Throws an AppError if the port does not accept the call now. */
  protected admit(_route: R, _caller: C | undefined): void {}

  protected abstract run(route: R): A | Promise<A>;

  /** Bytes that the answer holds until it has left. */
  protected abstract lengthOf(answer: A): number;

  /** Calls `sent` when the answer has left. */
  protected abstract write(answer: A): void;

  protected abstract writeRefusal(error: unknown): void;

  /** Runs when the call is over, before anything is written. */
  protected abstract end(): void;

  /** Refuses the call, even if it still runs. */
  protected fail(error: unknown): void {
    reportFailure(this.rules, error);
    const isFirst = this.#over();
    if (isFirst) this.signal.abort();
    this.#count(codeOf(error));
    if (!isFirst) return;
    const { aside } = this.rules;
    // Nothing bounds the reading of the rest before the refusal is written.
    if (aside === undefined || this.isReading || isServerFault(codeOf(error))) this.writeRefusal(error);
    else aside.take(this.connection, this, () => this.writeRefusal(error));
  }

  protected gone(): void {
    this.rules.aside?.forget(this.connection, this);
    this.sent();
    if (this.#over()) this.signal.abort();
  }

  protected sent(): void {
    this.#outbound?.release(this.#outboundBytes);
    this.#outbound = undefined;
  }

  #answer(answer: A): void {
    if (this.#purpose !== 'probe' && !this.#isOver) {
      const bytes = this.lengthOf(answer);
      const { outbound, pages } = this.rules;
      const memory = this.#purpose === 'inference' ? outbound : pages.of(this.connection);
      if (!memory.take(bytes)) throw dropError('memory-full');
      this.#outbound = memory;
      this.#outboundBytes = bytes;
    }
    if (!this.isForeign) this.#count('OK');
    if (this.#over()) this.write(answer);
  }

  /** Ends the call; false if it has already ended. */
  #over(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.end();
    return true;
  }

  #count(code: AnsweredCall['code']): void {
    if (this.#isCounted || this.#purpose === 'probe' || this.#purpose === 'metrics') return;
    this.#isCounted = true;
    const protocol = this.#protocol;
    const caller = this.#caller;
    this.rules.onAnswer(caller === undefined ? { protocol, code } : { protocol, code, tenant: caller.name });
  }
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL_ERROR';
}

/** A listener that throws must not cost the client its answer. */
function reportFailure({ onDefect, onStageFailure }: CallRules, error: unknown): void {
  try {
    if (error instanceof StageFailure) onStageFailure(error);
    else if (!(error instanceof AppError)) onDefect(error);
  } catch (again) {
    warnOfDefect(again);
  }
}

/** The client's id if it has 1 to 128 visible ASCII characters, else a new one. */
function requestIdOf(given: unknown): string {
  return typeof given === 'string' && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID();
}
