/** Takes replicas out of service: on request, after a loss, or because they are unhealthy. */
import type { HealthIssue } from '../model/running-plan.js';
import type { ServingReplica } from './replica.js';
import type { SchedulerDeps } from './scheduler-deps.js';

export class ReplicaExits<Payload, Context, Failure> {
  readonly #deps: SchedulerDeps<Payload, Context, Failure>;
  /** Replicas of omitted stages that leave once no request needs their stage. */
  #lingering: ServingReplica<Payload, Context>[] = [];

  constructor(deps: SchedulerDeps<Payload, Context, Failure>) {
    this.#deps = deps;
  }

  /** Has a replica leave, after its batch. A replica of an omitted stage stays until no request needs the stage. */
  drain(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining) return;
    if (!this.#deps.walk.needsOmitted(replica.stage)) {
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

  /** Call after requests may have ended, or the plan of a stage has changed. */
  releaseLingering(): void {
    if (this.#lingering.length === 0) return;
    for (const replica of this.#lingering)
      if (replica.lingers && !this.#deps.walk.needsOmitted(replica.stage)) this.leave(replica);
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

  #release(replica: ServingReplica<Payload, Context>): void {
    const { effects, lanes } = this.#deps;
    const { replicas } = lanes.laneOf(replica);
    const position = replicas.indexOf(replica);
    if (position >= 0) replicas.splice(position, 1);
    effects.drained(replica);
  }
}
