/**
 * Model of a stage under attack: replicas of a fleet, good clients and attackers, in simulated time. A replica that ends
 * is replaced after the back-off of the fleet, one that hangs at once.
 */
import { replicaId } from '../model/ids.js';
import { nextRestart, noRestarts, type RestartHistory } from './fleet/restart-backoff.js';
import type { Replica } from './scheduler-bench.test-support.js';
import { Bench, one } from './scheduler-bench.test-support.js';

const SLO_MS = 500;
const START_MS = 700;
const HANG_MS = 1_600;
const MAX_BATCH_SIZE = 4;
const SERVICE_MS = [0, 4, 5.5, 7, 8];
const NEVER = Number.POSITIVE_INFINITY;

/** `good` is answered, `exit` ends its replica, `hang` hangs it. */
type Kind = 'good' | 'exit' | 'hang';

export interface Attacker {
  readonly kind: Kind;
  readonly rps: number;
  /** Default: the SLO. */
  readonly timeoutMs?: number;
  /** By how much each time-out is shorter than the one before; default 0. */
  readonly timeoutFallsMs?: number;
  /** Good requests on its connection before each bad one; default 0. */
  readonly successes?: number;
}

interface Sent {
  readonly atMs: number;
  readonly name: string;
  readonly timeoutMs: number;
  readonly client: object;
}

/** Parts of the good requests that were answered in time. */
export interface Answered {
  /** Of clients that keep their connections. */
  readonly kept: number;
  /** Of clients with a connection per request. */
  readonly fresh: number;
}

export class AttackedStage {
  readonly #bench = new Bench(one, { watchReplicas: true, maxQueueLength: 1_000 });
  readonly #events: { readonly atMs: number; readonly run: (nowMs: number) => void }[] = [];
  readonly #endsAtMs: number;
  #restarts: RestartHistory = noRestarts;
  #made = 0;
  #missing = 0;

  constructor(replicas: number, endsAtMs: number) {
    this.#endsAtMs = endsAtMs;
    const hungAfterMs = SERVICE_MS.map(() => HANG_MS);
    this.#bench.scheduler.setPolicy(
      0,
      { maxBatchSize: MAX_BATCH_SIZE, maxBatchWaitMs: 0, remainingMs: 0, expectedServiceMs: SERVICE_MS, hungAfterMs },
      0,
    );
    for (let i = 0; i < replicas; i++) this.#addReplica(0);
  }

  /** Serves good clients (16 requests a second, three in eight on new connections) beside attackers. */
  answered(attackers: readonly Attacker[], goodTimeoutMs = SLO_MS): Answered {
    const sent = [...this.#goodRequests(goodTimeoutMs), ...attackers.flatMap((each) => this.#attack(each))];
    for (const each of sent) this.#at(each.atMs, (nowMs) => this.#arrive(each, nowMs));
    this.#run();
    const done = this.#bench.log.filter((line) => line.includes(' done good'));
    const part = (name: string): number =>
      done.filter((line) => line.includes(` ${name}`)).length /
      sent.filter((each) => each.name.startsWith(name)).length;
    return { kept: part('good-kept'), fresh: part('good-fresh') };
  }

  #goodRequests(timeoutMs: number): Sent[] {
    const clients = Array.from({ length: 4 }, () => ({}));
    return Array.from({ length: Math.floor((this.#endsAtMs / 1000) * 16) }, (_, index) => {
      const isKept = index % 8 < 5;
      const client = isKept ? (clients[index % clients.length] as object) : {};
      return { atMs: 62.5 * index, name: `good-${isKept ? 'kept' : 'fresh'}-${index}`, timeoutMs, client };
    });
  }

  #attack({ kind, rps, timeoutMs: first = SLO_MS, timeoutFallsMs = 0, successes = 0 }: Attacker): Sent[] {
    return Array.from({ length: Math.floor((this.#endsAtMs / 1000) * rps) }, (_, index) => {
      const client = {};
      const timeoutMs = first - timeoutFallsMs * index;
      const atMs = ((index + 0.37) * 1000) / rps;
      const before = Array.from({ length: successes }, (_each, i) => ({
        ...{ atMs: atMs - 20 * (i + 1), name: `ok-${index}-${i}`, timeoutMs, client },
      }));
      return [...before, { atMs, name: `${kind}-${index}-${rps}-${timeoutMs}`, timeoutMs, client }];
    }).flat();
  }

  #arrive({ name, timeoutMs, client }: Sent, nowMs: number): void {
    this.#bench.scheduler.arrive({ context: name, arrivedAtMs: nowMs, deadlineAtMs: nowMs + timeoutMs, client }, name);
  }

  #at(atMs: number, run: (nowMs: number) => void): void {
    this.#events.push({ atMs, run });
  }

  #run(): void {
    for (;;) {
      let next = 0;
      for (let i = 1; i < this.#events.length; i++)
        if ((this.#events[i]?.atMs ?? NEVER) < (this.#events[next]?.atMs ?? NEVER)) next = i;
      const [event] = this.#events.splice(next, 1);
      if (event === undefined || event.atMs > this.#endsAtMs) return;
      event.run(event.atMs);
      this.#follow(event.atMs);
    }
  }

  /** Turns what the scheduler has asked for into events. */
  #follow(nowMs: number): void {
    const { running, wakes, log } = this.#bench;
    for (const replica of running.splice(0)) this.#startBatch(replica, nowMs);
    for (const atMs of wakes.splice(0))
      this.#at(Math.max(atMs, nowMs), (laterMs) => this.#bench.scheduler.advance(laterMs));
    for (; this.#hungSeen < log.length; this.#hungSeen++)
      if (log[this.#hungSeen]?.endsWith(' hung')) this.#at(nowMs + START_MS, (laterMs) => this.#addReplica(laterMs));
  }

  #hungSeen = 0;

  #startBatch(replica: Replica, nowMs: number): void {
    const names = replica.batch.map(({ payload }) => payload);
    const bad = names.find((name) => name.startsWith('exit') || name.startsWith('hang'));
    if (bad?.startsWith('hang')) return;
    const takesMs = SERVICE_MS[names.length] ?? 0;
    const [first] = replica.batch;
    this.#at(nowMs + takesMs, (laterMs) => {
      if (!replica.busy || replica.batch[0] !== first) return;
      if (bad === undefined) this.#bench.finish(replica, laterMs);
      else this.#lose(replica, laterMs);
    });
  }

  #lose(replica: Replica, nowMs: number): void {
    this.#bench.scheduler.loseReplica(replica, 'lost', nowMs);
    this.#missing += 1;
    if (this.#missing > 1) return;
    const { delayMs, history } = nextRestart(this.#restarts, nowMs);
    this.#restarts = history;
    this.#at(nowMs + delayMs + START_MS, (laterMs) => {
      for (; this.#missing > 0; this.#missing--) this.#addReplica(laterMs);
    });
  }

  #addReplica(nowMs: number): void {
    const id = replicaId(`r${this.#made++}`);
    this.#bench.scheduler.addReplica(0, { replicaId: id, cpuCores: 1 }, nowMs);
    this.#follow(nowMs);
  }
}
