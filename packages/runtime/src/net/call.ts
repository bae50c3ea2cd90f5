/**
 * Life cycle of a call, the same for REST, gRPC, admin and probes: find its route, admit the caller, run the endpoint, reserve room for the
 * answer, write it. An error at any point becomes a refusal. A protocol says how to read and write (HttpCall, GrpcCall), a port who may call.
 */
import { randomUUID } from 'node:crypto';
import { AppError, type ErrorCode } from '@equipoise/core/model';
import type { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { Cancellation } from '../data-plane/cancellation.js';
import { StageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { ServingPhase } from './drain.js';
import { dropError } from './refusal.js';

/** Purpose of a route. Probes need no token; probes and metrics are not counted; only inference answers take outbound bytes. */
export type Purpose = 'inference' | 'metadata' | 'probe' | 'metrics';

/** An answer that left the server; `code` is that of its error, or OK. */
export interface AnsweredCall {
  readonly protocol: 'rest' | 'grpc';
  readonly code: ErrorCode | 'OK';
  /** Set if the server knows its tenants. */
  readonly tenant?: string;
}

/** Limits of a port and its listeners. */
export interface CallRules {
  readonly maxBodyBytes: number;
  /** Bytes of request bodies on their way, over all connections. */
  readonly inbound: BytesInFlight;
  /** Bytes of inference answers on their way, over all connections. */
  readonly outbound: BytesInFlight;
  /** Longest time from the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  readonly phase: () => ServingPhase;
  /** Receives errors that are not AppErrors: defects of the server. */
  readonly onDefect: (error: unknown) => void;
  /** Receives failures of stages; their `cause` is what the stage said. */
  readonly onStageFailure: (failure: StageFailure) => void;
  /** Receives every counted answer; must not throw. */
  readonly onAnswer: (call: AnsweredCall) => void;
}

/** A tenant, as far as calls count it. */
export interface Caller {
  readonly name: string;
}

/** A running call. `R` is its route, `A` its answer, `C` its tenant. */
export abstract class Call<R extends { readonly purpose: Purpose }, A, C extends Caller = Caller> {
  protected readonly rules: CallRules;
  protected readonly requestId: string;
  /** Aborts when the client goes away, or the call ends early. */
  protected readonly signal = new Cancellation();
  /** Set if another server answered, which has counted the answer. */
  protected isForeign = false;
  readonly #protocol: AnsweredCall['protocol'];
  #purpose: Purpose | undefined;
  #caller: C | undefined;
  #outboundBytes = 0;
  #isCounted = false;
  #isOver = false;

  protected constructor(rules: CallRules, protocol: AnsweredCall['protocol'], givenId: unknown) {
    this.rules = rules;
    this.#protocol = protocol;
    this.requestId = requestIdOf(givenId);
  }

  /** Answers the call; never rejects. */
  async serve(): Promise<void> {
    try {
      const route = this.route();
      this.#purpose = route.purpose;
      this.#caller = this.authenticate(route);
      this.admit(route, this.#caller);
      this.#answer(await this.run(route));
    } catch (error) {
      this.fail(error);
    }
  }

  /** True once the call is answered or refused, or its client is gone. */
  protected get isOver(): boolean {
    return this.#isOver;
  }

  /** The route of the call; throws the AppError of an unknown one. */
  protected abstract route(): R;

  /** The tenant, if the port knows tenants; throws the AppError of a caller without access. Nothing of the body is read before. */
  protected abstract authenticate(route: R): C | undefined;

  /** Throws the AppError of a call that is not accepted now. */
  protected admit(_route: R, _caller: C | undefined): void {}

  /** Reads the request and answers it. */
  protected abstract run(route: R): A | Promise<A>;

  /** Bytes that the answer takes until it has left. */
  protected abstract lengthOf(answer: A): number;

  /** Writes the answer; calls `sent` when it has left. */
  protected abstract write(answer: A): void;

  /** Writes an error as an answer. */
  protected abstract writeRefusal(error: unknown): void;

  /** Runs once when the call is over, before anything is written. */
  protected abstract end(): void;

  /** Refuses the call, even if it still runs. */
  protected fail(error: unknown): void {
    reportFailure(this.rules, error);
    const isFirst = this.#over();
    if (isFirst) this.signal.abort();
    this.#count(codeOf(error));
    if (isFirst) this.writeRefusal(error);
  }

  /** The client is gone, or the connection has ended. */
  protected gone(): void {
    this.sent();
    if (this.#over()) this.signal.abort();
  }

  /** The answer has left, or its client is gone. */
  protected sent(): void {
    this.rules.outbound.release(this.#outboundBytes);
    this.#outboundBytes = 0;
  }

  #answer(answer: A): void {
    if (this.#purpose === 'inference' && !this.#isOver) {
      const bytes = this.lengthOf(answer);
      if (!this.rules.outbound.take(bytes)) throw dropError('memory-full');
      this.#outboundBytes = bytes;
    }
    if (!this.isForeign) this.#count('OK');
    if (this.#over()) this.write(answer);
  }

  /** Ends the call; false if it was over. */
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

/** The code that an error is counted under. */
function codeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL_ERROR';
}

/** Reports defects and stage failures; a listener that throws must not cost the client its answer. */
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
