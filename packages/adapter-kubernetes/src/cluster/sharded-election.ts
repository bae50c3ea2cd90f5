/**
 * Election of the leaders of all shards, in each operator of a set. An operator takes a free lease the later, the more
 * it holds, so free leases go to the operators with the fewest. An operator with fewer leases than others asks for one
 * by an annotation, and the holder passes it on if the balance becomes better. All operators hold the lease of the set.
 */
import { setMaxListeners } from 'node:events';
import type { KubeApi } from '../api/kube-api.js';
import type { Lease, LeaseElectorDeps, LeaseTimes } from './lease-elector.js';
import { LeaseElector, leases } from './lease-elector.js';
import { LABEL_PREFIX } from './object-names.js';
import { type ShardSet, setIdentity, shardLeaseName } from './shards.js';
import { wait } from './wait.js';

/** Shorter than those of a single lease, so that a shard is led again within 20 s, with the delay of busy operators. */
const shardLeaseTimes: LeaseTimes = { durationMs: 12_000, renewWithinMs: 9_000, retryMs: 1_500 };

/** Annotation of a lease: identity of the operator that asks for it. */
const WANTED_BY = `${LABEL_PREFIX}/wanted-by`;

/** Delay (ms) before a free lease is taken, for each lease of the operator with it, and its maximum. */
const MODESTY_MS = 300;
const MOST_MODESTY_MS = 1_000;
/** Time (ms) between two looks at the balance. */
const BALANCE_MS = 10_000;

export interface ShardCandidacy {
  readonly namespace: string;
  /** Lease of the set; those of the shards are named after it. */
  readonly name: string;
  readonly identity: string;
  readonly set: ShardSet;
}

/** `isHeld` is false as soon as another operator may lead the shard, even before the signal aborts. */
export interface ShardLeadership {
  lead(shard: number, signal: AbortSignal, isHeld: () => boolean): Promise<void>;
  /** Called when another set, or an operator without shards, holds the lease of the set. */
  onOtherSet?(holder: string): void;
  onHolder?(shard: number, holder: string): void;
  onFailure?(lease: string, error: unknown): void;
}

export class ShardedElection {
  readonly #deps: LeaseElectorDeps;
  readonly #candidacy: ShardCandidacy;
  readonly #electors: readonly LeaseElector[];
  readonly #setElector: LeaseElector;
  /** Leases are taken one after the other. */
  #turns: Promise<unknown> = Promise.resolve();
  readonly #led = new Set<number>();

  constructor(base: LeaseElectorDeps, candidacy: ShardCandidacy) {
    this.#deps = { times: shardLeaseTimes, ...base };
    this.#candidacy = candidacy;
    const { namespace, name, identity, set } = candidacy;
    this.#electors = Array.from(
      { length: set.count },
      (_, shard) => new LeaseElector(this.#deps, { namespace, name: shardLeaseName(name, shard), identity }),
    );
    this.#setElector = new LeaseElector(this.#deps, { namespace, name, identity: setIdentity(set), isShared: true });
  }

  /** Holders of the shards, as far as seen; a shard without a leader has none. */
  get holders(): readonly (string | undefined)[] {
    return this.#electors.map(({ seen }) => seen?.spec.holderIdentity || undefined);
  }

  /** Resolves when all work has stopped. */
  run(leadership: ShardLeadership, signal: AbortSignal): Promise<void> {
    return this.#setElector.run(
      {
        lead: (inSet) => this.#standForShards(leadership, inSet),
        onHolder: (holder) => {
          if (holder !== '' && holder !== setIdentity(this.#candidacy.set)) leadership.onOtherSet?.(holder);
        },
        onFailure: (error) => leadership.onFailure?.(this.#candidacy.name, error),
      },
      signal,
    );
  }

  async #standForShards(leadership: ShardLeadership, signal: AbortSignal): Promise<void> {
    // Each elector adds a listener. Node would warn of a leak above ten.
    setMaxListeners(0, signal);
    const standing = this.#electors.map((elector, shard) => this.#stand(elector, { shard, leadership, signal }));
    await Promise.all([...standing, this.#balance(leadership, signal)]);
  }

  #stand(
    elector: LeaseElector,
    of: { readonly shard: number; readonly leadership: ShardLeadership; readonly signal: AbortSignal },
  ): Promise<void> {
    const { shard, leadership, signal } = of;
    const isHeld = (): boolean => elector.isHeld && this.#setElector.isHeld;
    return elector.run(
      {
        lead: async (leading) => {
          this.#led.add(shard);
          await leadership.lead(shard, leading, isHeld).finally(() => this.#led.delete(shard));
        },
        mayTake: () => this.#turn(signal),
        successor: (lease) => this.#successor(lease),
        onHolder: (holder) => leadership.onHolder?.(shard, holder),
        onFailure: (error) => leadership.onFailure?.(shardLeaseName(this.#candidacy.name, shard), error),
      },
      signal,
    );
  }

  /** Waits the longer, the more leases this operator holds. */
  #turn(signal: AbortSignal): Promise<boolean> {
    const turn = this.#turns.then(async () => {
      await wait(this.#deps.clock, Math.min(MOST_MODESTY_MS, MODESTY_MS * (this.#led.size + 1)), signal);
      return !signal.aborted;
    });
    this.#turns = turn;
    return turn;
  }

  #countOf(identity: string): number {
    return this.holders.filter((holder) => holder === identity).length;
  }

  /** The operator that asks for a lease, if it will not hold more than this one then. */
  #successor({ metadata: { annotations = {} } }: Lease): string | undefined {
    const wantedBy = annotations[WANTED_BY];
    if (wantedBy === undefined || wantedBy === this.#candidacy.identity) return undefined;
    return this.#led.size >= this.#countOf(wantedBy) + 2 ? wantedBy : undefined;
  }

  async #balance(leadership: ShardLeadership, signal: AbortSignal): Promise<void> {
    const { clock, rng, api } = this.#deps;
    while (!signal.aborted) {
      await wait(clock, BALANCE_MS * (1 + rng.next()), signal);
      const wanted = this.#wanted();
      if (signal.aborted || wanted === undefined) continue;
      try {
        await askFor(api, wanted, this.#candidacy.identity);
      } catch (error) {
        if (!signal.aborted) leadership.onFailure?.(wanted.metadata.name, error);
      }
    }
  }

  /** A lease of the operator with the most leases; undefined if the balance is good or such a lease is asked for. */
  #wanted(): Lease | undefined {
    const seen = this.#electors.flatMap((elector) => elector.seen ?? []);
    if (seen.length < this.#electors.length) return undefined;
    const counts = seen.map(({ spec: { holderIdentity = '' } }) =>
      holderIdentity === '' ? 0 : this.#countOf(holderIdentity),
    );
    const most = Math.max(...counts);
    if (most < this.#led.size + 2) return undefined;
    const ofMost = seen.filter((_, index) => counts[index] === most);
    const isAsked = ({ metadata: { annotations = {} } }: Lease): boolean =>
      annotations[WANTED_BY] === this.#candidacy.identity;
    return ofMost.some(isAsked) ? undefined : ofMost[0];
  }
}

/** A conflict means that the lease was renewed meanwhile: the next look asks again. */
async function askFor(api: KubeApi, { metadata: { namespace, name } }: Lease, identity: string): Promise<void> {
  const lease = await api.get({ type: leases, namespace, name });
  if (lease === undefined) return;
  const annotations = { ...lease.metadata.annotations, [WANTED_BY]: identity };
  await api.replace(
    leases,
    { ...lease, metadata: { ...lease.metadata, annotations } },
    { fieldManager: 'equipoise-election' },
  );
}
