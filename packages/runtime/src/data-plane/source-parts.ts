/** Parts of requests with several sources, until their requests begin. All parts of a request get the same outcome. */
import { type AlarmClock, AppError, type DropReason, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import { type SourceCounts, SourceJoin, sourceJoinRules } from '@equipoise/core/serve';
import { BytesInFlight, tensorBytes } from './bytes-in-flight.js';
import { Cancellation } from './cancellation.js';
import { ParkedBytes } from './parked-bytes.js';
import { copyTensors } from './payload-algebra.js';
import type { PipelineOutcome, SubmitOptions } from './pending-request.js';

/** Parts of different tenants never meet. */
export interface PartPlace {
  readonly source: number;
  readonly key: string;
  /** Default: now. */
  readonly timeMs?: number | undefined;
}

export interface SourcePartsDeps {
  readonly clock: AlarmClock;
  readonly bytes: BytesInFlight;
  turn(step: (nowMs: number) => void): void;
  submit(inputs: TensorMap, options: SubmitOptions): Promise<PipelineOutcome>;
}

interface WaitingPart {
  readonly source: number;
  readonly key: string;
  readonly inputs: TensorMap;
  readonly bytes: number;
  readonly options: SubmitOptions;
  readonly tenant: TenantParts;
  resolve(outcome: PipelineOutcome): void;
  /** Ends the watch on the client. */
  unwatch(): void;
}

/** Tenants do not share limits, so none can take the places of another. */
interface TenantParts {
  readonly join: SourceJoin<WaitingPart>;
  /** Undefined without tenants. */
  readonly bytes: BytesInFlight | undefined;
  cancelAlarm(): void;
}

/** Largest fraction of `admission.maxInFlightBytes` for the waiting parts of one tenant. */
const TENANT_FRACTION = 0.5;

export class SourceParts {
  readonly #spec: PipelineSpec;
  readonly #deps: SourcePartsDeps;
  readonly #tenants = new Map<string, TenantParts>();
  readonly #parked = new ParkedBytes<WaitingPart>();
  /** Parts that came to no join. */
  readonly #dropped: number[];

  constructor(spec: PipelineSpec, deps: SourcePartsDeps) {
    this.#spec = spec;
    this.#deps = deps;
    this.#dropped = spec.sources.map(() => 0);
  }

  /** Counts by source, and the number of requests that wait. */
  get counts(): { readonly sources: readonly SourceCounts[]; readonly waiting: number } {
    const joins = [...this.#tenants.values()].map(({ join }) => join);
    const sources = this.#dropped.map((dropped, source): SourceCounts => {
      const sum = { joined: 0, missing: 0, unmatched: 0, late: 0, duplicate: 0, kept: 0, dropped };
      for (const { counts } of joins)
        for (const [name, count] of Object.entries(counts[source] ?? {})) sum[name as keyof SourceCounts] += count;
      return sum;
    });
    return { sources, waiting: joins.reduce((sum, { waiting }) => sum + waiting, 0) };
  }

  /** Takes a part in a turn. */
  offer(place: PartPlace, taken: Pick<WaitingPart, 'inputs' | 'options' | 'resolve'>, nowMs: number): void {
    const { source, key } = place;
    const { signal } = taken.options;
    const tenant = this.#tenant(taken.options.tenant);
    const bytes = tensorBytes(taken.inputs);
    const part: WaitingPart = {
      ...taken,
      source,
      key,
      bytes,
      tenant,
      unwatch: () => signal?.removeEventListener('abort', leave),
    };
    const leave = () =>
      this.#deps.turn(() => {
        if (tenant.join.withdraw(key, source, part)) this.#lose(part, 'cancelled');
      });
    if (signal?.aborted || !this.#takesBytes(part)) {
      this.#dropped[source] = (this.#dropped[source] ?? 0) + 1;
      this.#drop(part, signal?.aborted ? 'cancelled' : 'memory-full');
      return;
    }
    signal?.addEventListener('abort', leave, { once: true });
    const end = tenant.join.offer({ part, ...place }, nowMs);
    if (end === 'taken') return;
    if (end === 'kept') {
      part.unwatch();
      part.resolve({ kind: 'completed', output: {} });
      return;
    }
    this.#release(part);
    if (end === 'full') this.#drop(part, 'queue-full');
    else part.resolve({ kind: 'failed', failure: refusals[end](this.#nameOf(source)) });
  }

  /**
   * Drops parts of a client that holds far more memory than `client`, until `bytes` more fit. False if no client does,
   * or its parts do not suffice.
   */
  makeRoom(bytes: number, client: object | undefined): boolean {
    const { bytes: all } = this.#deps;
    const parts = client && this.#parked.heavierThan(client, { bytes, lacking: all.lacking(bytes) });
    for (const part of parts ?? []) {
      this.#displace(part);
      if (all.fits(bytes)) return true;
    }
    return false;
  }

  /** Drops all parts. */
  drain(): void {
    for (const { join, cancelAlarm } of this.#tenants.values()) {
      for (const part of join.clear()) this.#lose(part, 'draining');
      cancelAlarm();
    }
  }

  /** The names of tenants are those of the configuration, so there are few. */
  #tenant(name: string | undefined): TenantParts {
    const known = this.#tenants.get(name ?? '');
    if (known !== undefined) return known;
    const { clock, turn } = this.#deps;
    const join = new SourceJoin<WaitingPart>(sourceJoinRules(this.#spec), {
      begin: (parts) => this.#begin(parts),
      giveUp: (parts, missing, isStale) => this.#giveUp(parts, missing, isStale),
      forget: (part) => this.#release(part),
      wakeAt: (atMs) => {
        tenant.cancelAlarm();
        tenant.cancelAlarm = clock.ringAt(atMs, () => turn((nowMs) => join.advance(nowMs)));
      },
    });
    const own = name === undefined ? undefined : new BytesInFlight();
    const tenant: TenantParts = { join, bytes: own, cancelAlarm: () => {} };
    this.#tenants.set(name ?? '', tenant);
    return tenant;
  }

  #begin(parts: readonly (WaitingPart | undefined)[]): void {
    const present = parts.filter((part) => part !== undefined);
    const waited = present.filter((part) => !this.#isNewest(part));
    for (const part of waited) this.#release(part);
    // A newest part may be in several requests, and each request owns its tensors.
    const inputs: TensorMap = Object.assign(
      {},
      ...present.map((part) => (this.#isNewest(part) ? copyTensors(part.inputs) : part.inputs)),
    );
    void this.#deps.submit(inputs, jointOptions(waited.map(({ options }) => options))).then((outcome) => {
      for (const { resolve } of waited) resolve(outcome);
    });
  }

  #giveUp(parts: readonly (WaitingPart | undefined)[], missing: readonly number[], isStale: boolean): void {
    const names = missing.map((source) => this.#nameOf(source));
    const failure = isStale ? staleParts(names, this.#spec) : missingParts(names);
    for (const part of parts) {
      if (part === undefined) continue;
      this.#release(part);
      part.resolve({ kind: 'failed', failure });
    }
  }

  #isNewest({ source }: Pick<WaitingPart, 'source'>): boolean {
    return this.#spec.sources[source]?.latest !== undefined;
  }

  #displace(part: WaitingPart): void {
    const { tenant, key, source } = part;
    if (this.#isNewest(part)) tenant.join.forgetNewest(key, source);
    else if (tenant.join.withdraw(key, source, part)) this.#lose(part, 'memory-full');
  }

  #lose(part: WaitingPart, reason: DropReason): void {
    this.#release(part);
    this.#drop(part, reason);
  }

  #drop({ resolve }: WaitingPart, reason: DropReason): void {
    resolve({ kind: 'dropped', reason, retryAfterMs: this.#spec.sourceJoin?.maxWaitMs ?? 0 });
  }

  #takesBytes(part: WaitingPart): boolean {
    const { bytes, tenant, options } = part;
    const { bytes: all } = this.#deps;
    // The limit of the pipeline may have changed.
    tenant.bytes?.setMost(TENANT_FRACTION * all.most);
    if (tenant.bytes?.fits(bytes) === false) return false;
    if (!all.take(bytes) && !(this.makeRoom(bytes, options.client) && all.take(bytes))) return false;
    tenant.bytes?.take(bytes);
    this.#parked.add(part);
    return true;
  }

  #release(part: WaitingPart): void {
    const { bytes, tenant, unwatch } = part;
    this.#deps.bytes.release(bytes);
    tenant.bytes?.release(bytes);
    this.#parked.remove(part);
    unwatch();
  }

  #nameOf(source: number): string {
    return this.#spec.sources[source]?.name ?? '';
  }
}

const refusals = {
  late: (source: string) =>
    new AppError('PART_LATE', `The part of ${source} came after the wait for it had ended.`, { details: { source } }),
  duplicate: (source: string) =>
    new AppError('PART_DUPLICATE', `A part of ${source} was sent under this id before.`, { details: { source } }),
};

function missingParts(names: readonly string[]): AppError {
  return new AppError(
    'PART_MISSING',
    `No part of ${names.join(' and ')} came in time under the id or key of this request.`,
    { details: { sources: names } },
  );
}

function staleParts(names: readonly string[], { sources }: PipelineSpec): AppError {
  const ages = names.map((name) => {
    const { latest } = sources.find((source) => source.name === name) ?? {};
    return `${name} in the last ${latest?.maxAgeMs ?? 0} ms`;
  });
  return new AppError('PART_STALE', `There is no part of ${ages.join(', and none of ')}.`, {
    details: { sources: names },
    retryable: true,
  });
}

/**
 * The shortest time-out, the most urgent priority, the client of all parts if they have the same, and the trace of the
 * first source that has one. The request is cancelled once all clients have gone.
 */
function jointOptions(options: readonly SubmitOptions[]): SubmitOptions {
  const timeouts = options.flatMap(({ timeoutMs }) => timeoutMs ?? []);
  const priorities = options.flatMap(({ priority }) => priority || []);
  const { tenant, client } = options[0] ?? {};
  const traceParent = options.find((each) => each.traceParent !== undefined)?.traceParent;
  return {
    tenant,
    client: options.every((each) => each.client === client) ? client : undefined,
    traceParent,
    ...(timeouts.length > 0 && { timeoutMs: Math.min(...timeouts) }),
    ...(priorities.length > 0 && { priority: Math.min(...priorities) }),
    signal: allAborted(options),
  };
}

function allAborted(options: readonly SubmitOptions[]): Cancellation {
  const all = new Cancellation();
  let left = options.length;
  const leave = () => {
    left -= 1;
    if (left === 0) all.abort();
  };
  for (const { signal } of options) signal?.addEventListener('abort', leave, { once: true });
  return all;
}
