import { type AlarmClock, AppError, type Rng } from '@equipoise/core/model';
import type { KubeApi, WriteResult } from '../api/kube-api.js';
import type { KubeObject, ObjectMeta, ObjectRef, OwnerReference, ResourceType } from '../api/kube-object.js';
import { orAborted, wait } from './wait.js';

/**
 * Leader election by a Lease, as in client-go. A follower takes a lease that stayed unchanged for its whole duration. A
 * leader stops `renewWithinMs` after its last renewal. At similar clock speeds, it stops before another candidate can
 * take over. It stops earlier if the lease names another holder, for example after a person deleted the lease.
 */

/** Times in ms; `retryMs` < `renewWithinMs` < `durationMs`. */
export interface LeaseTimes {
  readonly durationMs: number;
  readonly renewWithinMs: number;
  readonly retryMs: number;
}

export const usualLeaseTimes: LeaseTimes = { durationMs: 15_000, renewWithinMs: 10_000, retryMs: 2_000 };

/** `nowEpochMs` is only recorded. */
export interface LeaseElectorDeps {
  readonly api: KubeApi;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly nowEpochMs: () => number;
  readonly times?: LeaseTimes;
  /** Owner of leases in a namespace, with which they are deleted; by default none. */
  readonly ownerIn?: (namespace: string) => OwnerReference | undefined;
}

export interface Candidacy {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  /**
   * Several candidates have this identity and hold the lease together. One that sees it renewed holds it from its look
   * before; the others need not write. It is not released, because others may hold it.
   */
  readonly isShared?: boolean;
}

/** Work of a leader: runs until its signal aborts, and resolves when all work has stopped. */
export interface Leadership {
  lead(signal: AbortSignal): Promise<void>;
  onHolder?(holder: string): void;
  /** Called when another holder renews the lease. */
  onRenewal?(holder: string): void;
  onFailure?(error: unknown): void;
  /** Asked before a lease that this candidate does not hold is taken. */
  mayTake?(): Promise<boolean>;
  /** Asked at each renewal: the candidate that gets the lease once all work has stopped. */
  successor?(lease: Lease): string | undefined;
}

/** Stands for election until the signal aborts, then releases the lease. */
export class LeaseElector {
  readonly #deps: LeaseElectorDeps;
  readonly #times: LeaseTimes;
  readonly #candidacy: Candidacy;
  readonly #ref: ObjectRef<Lease>;
  #seen: { readonly lease: Lease; readonly atMs: number } | undefined;
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  /** False once the server forbids it: some let only those set owners who may delete the lease. */
  #setsOwner = true;
  /** Last look at a shared lease. */
  #look: { readonly version: string | undefined; readonly sentAtMs: number } | undefined;

  constructor(base: LeaseElectorDeps, candidacy: Candidacy) {
    this.#deps = base;
    this.#times = base.times ?? usualLeaseTimes;
    this.#candidacy = candidacy;
    const { namespace, name } = candidacy;
    this.#ref = { type: leases, namespace, name };
  }

  /** True while no other candidate can hold the lease. A process that was paused sees it before its alarms ring. */
  get isHeld(): boolean {
    return this.#deps.clock.nowMs() < this.#heldUntilMs;
  }

  /** The lease as last seen; undefined before, and after it has expired. */
  get seen(): Lease | undefined {
    if (this.#seen === undefined) return undefined;
    const { lease, atMs } = this.#seen;
    const ageMs = this.#deps.clock.nowMs() - atMs;
    return ageMs < (lease.spec.leaseDurationSeconds ?? 0) * 1000 ? lease : undefined;
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const heldSinceMs = await orAborted(this.#tryToHold(leadership, signal), signal);
      if (heldSinceMs !== undefined) await this.#leadWhileHeld(leadership, heldSinceMs, signal);
      // Jitter, so that followers do not act at the same time.
      await wait(this.#deps.clock, this.#times.retryMs * (1 + this.#deps.rng.next()), signal);
    }
  }

  async #leadWhileHeld(leadership: Leadership, heldSinceMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const leading = new AbortController();
    let cancel = (): void => {};
    const holdFrom = (sentAtMs: number): void => {
      cancel();
      this.#heldUntilMs = sentAtMs + this.#times.renewWithinMs;
      cancel = clock.ringAt(sentAtMs + this.#times.renewWithinMs, () => leading.abort());
    };
    const stop = (): void => leading.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    holdFrom(heldSinceMs);
    const work = leadership
      .lead(leading.signal)
      .catch((error: unknown) => leadership.onFailure?.(error))
      .finally(stop);
    let successor: string | undefined;
    while (!leading.signal.aborted) {
      await wait(clock, this.#times.retryMs, leading.signal);
      if (leading.signal.aborted) break;
      const renewedAtMs = await this.#renew(leadership, leading);
      if (renewedAtMs === undefined || leading.signal.aborted) continue;
      holdFrom(renewedAtMs);
      successor = this.#seen && leadership.successor?.(this.#seen.lease);
      if (successor !== undefined) stop();
    }
    cancel();
    signal.removeEventListener('abort', stop);
    await work;
    this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    if (successor !== undefined) await this.#passOn(successor, leadership);
    else if (signal.aborted && this.#candidacy.isShared !== true) await this.#passOn('', leadership);
  }

  get #isOfAnother(): boolean {
    const holder = this.#seen?.lease.spec.holderIdentity ?? '';
    return holder !== '' && holder !== this.#candidacy.identity;
  }

  /**
   * One try to renew the lease. A hanging one must not hide that the lease has expired. It has half of the time, so that
   * another try on another connection can follow. Ends the leadership if another candidate holds the lease.
   */
  async #renew(leadership: Leadership, leading: AbortController): Promise<number | undefined> {
    const { clock } = this.#deps;
    const { signal } = leading;
    const limitMs = this.#times.renewWithinMs / 2;
    const trying = new AbortController();
    const stop = (): void => trying.abort();
    signal.addEventListener('abort', stop, { once: true });
    const cancel = clock.ringAt(clock.nowMs() + limitMs, () => {
      stop();
      leadership.onFailure?.(new Error(`the lease was not renewed within ${limitMs} ms`));
    });
    try {
      const renewedAtMs = await orAborted(this.#tryToHold(leadership, trying.signal), trying.signal);
      if (renewedAtMs === undefined && this.#isOfAnother) {
        this.#heldUntilMs = Number.NEGATIVE_INFINITY;
        leading.abort();
      }
      return renewedAtMs;
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  /** Returns the time since which the lease is held; undefined if it is not. */
  async #tryToHold(leadership: Leadership, signal: AbortSignal): Promise<number | undefined> {
    const sentAtMs = this.#deps.clock.nowMs();
    try {
      const lease = await this.#deps.api.get(this.#ref);
      if (signal.aborted) return undefined;
      if (lease !== undefined) this.#note(lease, leadership);
      if (lease !== undefined && !this.#mayTake(lease)) return undefined;
      const isMine = lease?.spec.holderIdentity === this.#candidacy.identity;
      const renewedByOtherMs = isMine ? this.#renewedByOtherMs(lease, sentAtMs) : undefined;
      if (renewedByOtherMs !== undefined) return renewedByOtherMs;
      if (!isMine && (await leadership.mayTake?.()) === false) return undefined;
      if (signal.aborted) return undefined;
      const result = await this.#write(lease);
      if (!this.#isTaken(result, leadership)) return undefined;
      this.#look = {
        version: result.kind === 'written' ? result.object.metadata.resourceVersion : undefined,
        sentAtMs,
      };
      return sentAtMs;
    } catch (error) {
      this.#setsOwner &&= !isForbidden(error);
      if (!signal.aborted) leadership.onFailure?.(error);
      return undefined;
    }
  }

  /** Of a shared lease that has changed since the last look: the time of that look. */
  #renewedByOtherMs({ metadata: { resourceVersion } }: Lease, sentAtMs: number): number | undefined {
    if (this.#candidacy.isShared !== true) return undefined;
    const before = this.#look;
    this.#look = { version: resourceVersion, sentAtMs };
    return before === undefined || before.version === resourceVersion ? undefined : before.sentAtMs;
  }

  #mayTake({ spec }: Lease): boolean {
    const holder = spec.holderIdentity ?? '';
    if (holder === '' || holder === this.#candidacy.identity) return true;
    const seenForMs = this.#deps.clock.nowMs() - (this.#seen?.atMs ?? this.#deps.clock.nowMs());
    return seenForMs >= (spec.leaseDurationSeconds ?? 0) * 1000;
  }

  #write(before: Lease | undefined): Promise<WriteResult<Lease>> {
    const { api } = this.#deps;
    const { identity, namespace, name } = this.#candidacy;
    const now = microTime(this.#deps.nowEpochMs());
    const old = before?.spec;
    const isMine = old?.holderIdentity === identity;
    const changes = (old?.leaseTransitions ?? 0) + (old === undefined || isMine ? 0 : 1);
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1000),
      acquireTime: isMine && old?.acquireTime !== undefined ? old.acquireTime : now,
      renewTime: now,
      leaseTransitions: changes,
    };
    const writer = { fieldManager: 'equipoise-election' };
    const owner = this.#setsOwner ? this.#deps.ownerIn?.(namespace) : undefined;
    const metadata = ownedBy(owner, before?.metadata ?? { name, namespace });
    if (before !== undefined) return api.replace(leases, { ...before, metadata, spec }, writer);
    return api.create(leases, { ...LEASE, metadata, spec }, writer);
  }

  #isTaken(result: WriteResult<Lease>, leadership: Leadership): boolean {
    if (result.kind === 'refused') {
      // Another candidate was faster.
      const { reason, message } = result;
      if (reason !== 'conflict' && reason !== 'already-exists') leadership.onFailure?.(new Error(message));
      return false;
    }
    this.#note(result.object, leadership);
    return true;
  }

  #note(lease: Lease, leadership: Leadership): void {
    const before = this.#seen?.lease;
    if (before?.metadata.resourceVersion === lease.metadata.resourceVersion) return;
    this.#seen = { lease, atMs: this.#deps.clock.nowMs() };
    const holder = lease.spec.holderIdentity ?? '';
    if (holder !== (before?.spec.holderIdentity ?? '')) leadership.onHolder?.(holder);
    else if (holder !== '' && holder !== this.#candidacy.identity) leadership.onRenewal?.(holder);
  }

  /** Gives the lease to a successor, or frees it if that is empty. */
  async #passOn(successor: string, leadership: Leadership): Promise<void> {
    try {
      const lease = await this.#deps.api.get(this.#ref);
      if (lease?.spec.holderIdentity !== this.#candidacy.identity) return;
      const renewTime = microTime(this.#deps.nowEpochMs());
      const spec = {
        ...lease.spec,
        holderIdentity: successor,
        ...(successor === '' ? { leaseDurationSeconds: 1 } : { acquireTime: renewTime, renewTime }),
      };
      const { annotations: _, ...metadata } = lease.metadata;
      await this.#deps.api.replace(leases, { ...lease, metadata, spec }, { fieldManager: 'equipoise-election' });
    } catch (error) {
      leadership.onFailure?.(error);
    }
  }
}

const isForbidden = (error: unknown): boolean => error instanceof AppError && error.details['httpStatus'] === 403;

/** The metadata with this owner, in place of one of the same name. */
function ownedBy(owner: OwnerReference | undefined, metadata: ObjectMeta): ObjectMeta {
  if (owner === undefined) return metadata;
  const { ownerReferences = [] } = metadata;
  const others = ownerReferences.filter(({ kind, name }) => kind !== owner.kind || name !== owner.name);
  return { ...metadata, ownerReferences: [...others, owner] };
}

const LEASE = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

/** RFC 3339 with microseconds, as a Lease requires. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}

export interface Lease extends KubeObject {
  readonly spec: {
    /** Holder; empty if the lease is released. */
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export const leases: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};
