/** Watches the batches of a stage: judges replicas by batches that ended, and finds batches that hang. */
import type { HealthIssue } from '../model/running-plan.js';
import { type BatchPolicy, serviceMs } from './batch-policy.js';
import { machineSlowness, type ReplicaHealth, slownessOf } from './health/replica-health.js';
import type { ServingReplica } from './replica.js';

/** A timer this late (ms) indicates a stall of this process. */
const STALL_MS = 50;

export interface WatchEffects<Payload, Context> {
  runsLate(replica: ServingReplica<Payload, Context>): void;
  wakeAt(atMs: number): void;
}

export class BatchWatch<Payload, Context> {
  readonly issues = { opened: 0, failing: 0, slow: 0, hung: 0 };
  readonly #replicas: readonly ServingReplica<Payload, Context>[];
  readonly #effects: WatchEffects<Payload, Context>;

  /** `replicas`: those of the stage, which may change. */
  constructor(replicas: readonly ServingReplica<Payload, Context>[], effects: WatchEffects<Payload, Context>) {
    this.#replicas = replicas;
    this.#effects = effects;
  }

  batchStarted({ health, batch }: ServingReplica<Payload, Context>, policy: BatchPolicy, nowMs: number): void {
    if (health === undefined) return;
    health.batchStarted(nowMs, this.#hangBoundMs(batch.length, policy, health));
    this.#wakeFor(health);
  }

  /** Judges a replica by the batch that ended. Returns the issue if the replica must be replaced. */
  issueOf(replica: ServingReplica<Payload, Context>, policy: BatchPolicy, nowMs: number): HealthIssue | undefined {
    const { health, batch } = replica;
    if (health === undefined) return undefined;
    const { batchFailed: failed, batchStartedAtMs: startedAtMs } = health;
    const slowness = slownessOf(nowMs - startedAtMs, serviceMs(policy, batch.length));
    const verdict = health.note({ failed, slowness, startedAtMs, nowMs }, this.#replicas);
    if (verdict === 'open') this.#open(health, nowMs);
    return verdict === 'unfit' ? health.issue : undefined;
  }

  /** Finds a replica whose batch hangs. Reports late batches and requests a wake-up. */
  findHung(policy: BatchPolicy, nowMs: number): ServingReplica<Payload, Context> | undefined {
    for (const replica of this.#replicas) {
      const { busy, health, batch } = replica;
      if (!busy || health === undefined) continue;
      const lateMs = nowMs - health.hungAtMs;
      if (lateMs >= 0 && lateMs <= STALL_MS) return replica;
      if (lateMs > 0) health.hungAtMs = nowMs + this.#hangBoundMs(batch.length, policy, health) / 2;
      if (!health.isLate && nowMs >= health.lateAtMs) this.#effects.runsLate(replica);
      this.#wakeFor(health);
    }
    return undefined;
  }

  /** Pauses a replica if at least half of the stage's replicas continue. */
  #open(health: ReplicaHealth, nowMs: number): void {
    let open = 1;
    for (const replica of this.#replicas) if ((replica.health?.openUntilMs ?? 0) > nowMs) open += 1;
    if (2 * open > this.#replicas.length) return;
    health.openUntilMs = health.pausedUntilMs;
    this.issues.opened += 1;
  }

  #wakeFor({ isLate, lateAtMs, hungAtMs }: ReplicaHealth): void {
    if (hungAtMs < Number.POSITIVE_INFINITY) this.#effects.wakeAt(isLate ? hungAtMs : lateAtMs);
  }

  #hangBoundMs(batchSize: number, policy: BatchPolicy, health: ReplicaHealth): number {
    const boundMs = policy.hungAfterMs?.[batchSize] ?? Number.POSITIVE_INFINITY;
    const mostMs = policy.hungAtMostMs?.[batchSize] ?? Number.POSITIVE_INFINITY;
    return Math.min(mostMs, boundMs * machineSlowness(this.#replicas, health));
  }
}
