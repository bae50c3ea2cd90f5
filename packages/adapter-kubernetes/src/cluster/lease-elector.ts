import type { AlarmClock, Rng } from '@equipoise/core/model';
import type { KubeApi, WriteResult } from '../api/kube-api.js';
import type { KubeObject, ObjectRef, ResourceType } from '../api/kube-object.js';
import { orAborted, wait } from './wait.js';

/**
 * One leader among several processes, by a Lease that the leader renews. Remote clocks are not trusted: a follower takes a lease that it
 * has seen unchanged for its whole duration, measured here. A leader counts from before it sent its last renewal, and stops
 * leading once `renewWithinMs` have passed, which is less than the duration: so it has stopped before anybody can take over,
 * provided that clocks run at about the same speed (the scheme of the election of client-go).
 */

/** Times in milliseconds; `retryMs` < `renewWithinMs` < `durationMs`. */
export interface LeaseTimes {
  readonly durationMs: number;
  readonly renewWithinMs: number;
  readonly retryMs: number;
}

export const usualLeaseTimes: LeaseTimes = { durationMs: 15_000, renewWithinMs: 10_000, retryMs: 2_000 };

/** What an elector stands on; `nowEpochMs` is only written down, for people to read. */
export interface LeaseElectorDeps {
  readonly api: KubeApi;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly nowEpochMs: () => number;
  readonly times?: LeaseTimes;
}

/** Which lease, and the name of this candidate, which nobody else may have. */
export interface Candidacy {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
}

/** What the candidate does as the leader: `lead` works until its signal aborts, and has stopped by the time that it resolves. */
export interface Leadership {
  lead(signal: AbortSignal): Promise<void>;
  /** The holder changed, as seen from here. */
  onHolder?(holder: string): void;
  /** Another holder has renewed its lease since it was seen first: it is at work. */
  onRenewal?(holder: string): void;
  onFailure?(error: unknown): void;
}

/** One candidate; `run` stands for election until its signal aborts, and then gives the lease back. */
export class LeaseElector {
  readonly #deps: LeaseElectorDeps;
  readonly #times: LeaseTimes;
  readonly #candidacy: Candidacy;
  readonly #ref: ObjectRef<Lease>;
  /** The lease as it was last seen to change, and when that was. */
  #seen: { readonly lease: Lease; readonly atMs: number } | undefined;

  constructor(base: LeaseElectorDeps, candidacy: Candidacy) {
    this.#deps = base;
    this.#times = base.times ?? usualLeaseTimes;
    this.#candidacy = candidacy;
    const { namespace, name } = candidacy;
    this.#ref = { type: leases, namespace, name };
  }

  async run(leadership: Leadership, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sentAtMs = this.#deps.clock.nowMs();
      const held = await orAborted(this.#tryToHold(leadership, signal), signal);
      if (held) await this.#leadWhileHeld(leadership, sentAtMs, signal);
      // Followers ask at scattered times, so that not all of them see the lease run out together.
      await wait(this.#deps.clock, this.#times.retryMs * (1 + this.#deps.rng.next()), signal);
    }
  }

  /** Leads until the lease could not be renewed in time or `signal` aborts. */
  async #leadWhileHeld(leadership: Leadership, heldSinceMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const leading = new AbortController();
    let cancel = (): void => {};
    const holdFrom = (sentAtMs: number): void => {
      cancel();
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
    while (!leading.signal.aborted) {
      await wait(clock, this.#times.retryMs, leading.signal);
      if (leading.signal.aborted) break;
      const sentAtMs = clock.nowMs();
      // A renewal that hangs must not keep the end of the reign from being seen.
      const renewed = await orAborted(this.#tryToHold(leadership, leading.signal), leading.signal);
      if (renewed && !leading.signal.aborted) holdFrom(sentAtMs);
    }
    cancel();
    signal.removeEventListener('abort', stop);
    await work;
    if (signal.aborted) await this.#release(leadership);
  }

  /** Whether this candidate holds the lease after trying to take or renew it. */
  async #tryToHold(leadership: Leadership, signal: AbortSignal): Promise<boolean> {
    try {
      const lease = await this.#deps.api.get(this.#ref);
      if (signal.aborted) return false;
      if (lease !== undefined) this.#note(lease, leadership);
      if (lease !== undefined && !this.#mayTake(lease)) return false;
      return this.#isTaken(await this.#write(lease), leadership);
    } catch (error) {
      if (!signal.aborted) leadership.onFailure?.(error);
      return false;
    }
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
    if (before !== undefined) return api.replace(leases, { ...before, spec }, writer);
    const { apiVersion, kind } = LEASE;
    return api.create(leases, { apiVersion, kind, metadata: { name, namespace }, spec }, writer);
  }

  #isTaken(result: WriteResult<Lease>, leadership: Leadership): boolean {
    if (result.kind === 'refused') {
      // Somebody else was faster; the next look shows who. Any other reason stays until it is removed.
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

  /** Lets another candidate take the lease at once. */
  async #release(leadership: Leadership): Promise<void> {
    try {
      const lease = await this.#deps.api.get(this.#ref);
      if (lease?.spec.holderIdentity !== this.#candidacy.identity) return;
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 };
      await this.#deps.api.replace(leases, { ...lease, spec }, { fieldManager: 'equipoise-election' });
    } catch (error) {
      leadership.onFailure?.(error);
    }
  }
}

const LEASE = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

/** RFC 3339 with microseconds, the only form that a Lease takes. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}

/** The Lease of the group coordination.k8s.io, by which processes agree on one of them. */

export interface Lease extends KubeObject {
  readonly spec: {
    /** Empty when it was given back. */
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
