/** Takes replicas out of service: on request, after a loss, or because they are unhealthy. */
import type { HealthIssue } from '../model/running-plan.js';
import type { ServingReplica } from './replica.js';
import type { SchedulerDeps } from './scheduler-deps.js';

export class ReplicaExits<Payload, Context, Failure> {
  readonly #deps: SchedulerDeps<Payload, Context, Failure>;
  /** Replicas of omitted stages that leave once the queue of their stage is empty. */
  #lingering: ServingReplica<Payload, Context>[] = [];

  constructor(deps: SchedulerDeps<Payload, Context, Failure>) {
    this.#deps = deps;
  }

  /** Has a replica leave, after its batch. A replica of an omitted stage first runs the waiting items. */
  drain(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining) return;
    if (!this.#hasLeftovers(replica)) {
      this.leave(replica);
      return;
    }
    replica.draining = true;
    replica.lingers = true;
    this.#lingering.push(replica);
  }

  /** Releases a free replica at once, a busy one after its batch. */
  leave(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining && !replica.lingers) return;
    replica.draining = true;
    replica.lingers = false;
    if (!replica.busy) this.#release(replica);
  }

  /** Call when the batch of a replica has ended. */
  batchEnded(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining && !replica.lingers) this.#release(replica);
  }

  releaseLingering(): void {
    if (this.#lingering.length === 0) return;
    for (const replica of this.#lingering)
      if (replica.lingers && !replica.busy && !this.#hasLeftovers(replica)) this.leave(replica);
    this.#lingering = this.#lingering.filter(({ lingers }) => lingers);
  }

  /** Judges a replica by the batch that ended. */
  judge(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining) return;
    const { lanes, clock } = this.#deps;
    const issue = lanes.laneOf(replica).issueOf(replica, clock.nowMs);
    if (issue !== undefined) this.replace(replica, issue);
  }

  setLate(replica: ServingReplica<Payload, Context>, isLate: boolean): void {
    if (replica.health !== undefined) replica.health.isLate = isLate;
    if (!replica.draining) this.#deps.effects.runsLate(replica, isLate);
  }

  replace(replica: ServingReplica<Payload, Context>, issue: HealthIssue): void {
    const { effects, lanes, clock } = this.#deps;
    lanes.laneOf(replica).issues[issue] += 1;
    replica.draining = true;
    replica.lingers = false;
    effects.unhealthy(replica, issue, clock.nowMs);
  }

  #hasLeftovers({ stage }: ServingReplica<Payload, Context>): boolean {
    const { lanes, walk } = this.#deps;
    return walk.omits(stage) && lanes.main(stage).length > 0;
  }

  #release(replica: ServingReplica<Payload, Context>): void {
    const { effects, lanes } = this.#deps;
    const { replicas } = lanes.laneOf(replica);
    const position = replicas.indexOf(replica);
    if (position >= 0) replicas.splice(position, 1);
    effects.drained(replica);
  }
}
