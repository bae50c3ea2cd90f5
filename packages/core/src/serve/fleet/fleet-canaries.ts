/** Canaries of a fleet: opens, follows, judges and ends them. */
import type { Change } from '../../model/change.js';
import type { ReplicaId } from '../../model/ids.js';
import { isOfKind } from '../../model/running-plan.js';
import { canaryFailed } from './change-errors.js';
import type { CanaryNews, FleetEffects, FleetLimits } from './fleet-effects.js';
import type { FleetReplica, FleetStage } from './fleet-stage.js';
import { StageCanary } from './stage-canary.js';
import type { StageSteps } from './stage-steps.js';

export interface CanaryHost {
  retire(stage: FleetStage, id: ReplicaId): FleetReplica;
  giveUp(stage: FleetStage, failure: unknown): void;
  setStartsEnd(stage: FleetStage, atMs: number): void;
  markDirty(): void;
}

export class FleetCanaries {
  readonly #limits: FleetLimits;
  readonly #effects: FleetEffects;
  readonly #host: CanaryHost;

  constructor(limits: FleetLimits, effects: FleetEffects, host: CanaryHost) {
    this.#limits = limits;
    this.#effects = effects;
    this.#host = host;
  }

  begin(stage: FleetStage, { to, oneStep }: Change): void {
    stage.canary = new StageCanary({ oneStep });
    this.#effects.openCanary(stage.id, to);
  }

  /** Ends the canary of a stage unless the next change continues it. */
  endOther(stage: FleetStage, { atOnce, to }: Change): void {
    if (stage.canary === undefined || stage.target === undefined) return;
    const goesOn = isOfKind(to, stage.target);
    if (goesOn && atOnce === true) this.#close(stage, { state: 'ended' });
    else if (!goesOn) this.drop(stage);
  }

  /**
   * Sets the canary's fraction by its ready replicas. Measuring begins once the step's replicas, or as many as fit, are
   * ready.
   */
  follow(stage: FleetStage, { state, nowMs }: Pick<StageSteps, 'state'> & { readonly nowMs: number }): void {
    const { canary } = stage;
    if (canary === undefined) return;
    if (canary.raise(stage.readyFraction)) {
      this.#effects.shareCanary(stage.id, canary.fraction);
      this.#tell(stage, { state: 'step' });
    }
    if (state === 'under-way' || canary.fraction === 0) return;
    canary.measure(nowMs);
    // The starts of the next step get the full time limit.
    this.#host.setStartsEnd(stage, Number.POSITIVE_INFINITY);
  }

  look(stage: FleetStage, nowMs: number): void {
    const { canary } = stage;
    if (canary === undefined || canary.lookAtMs > nowMs) return;
    const percentile = this.#limits.canary?.percentile ?? 0;
    const offered = canary.target;
    const verdict = canary.look(this.#effects.canaryCounts(stage.id), { percentile, nowMs });
    if (verdict.kind === 'failed') {
      this.#fail(stage, verdict.why);
      return;
    }
    if (verdict.kind !== 'open' || canary.target > offered)
      this.#host.setStartsEnd(stage, nowMs + this.#limits.maxSurgeMs);
    if (verdict.kind === 'open' || (verdict.kind === 'passed' && !canary.hasPassed)) return;
    if (stage.target !== undefined) stage.served.add(stage.target.variantId);
    this.#close(stage, { state: 'passed' });
  }

  /** Fails the canary after the loss of a replica. A lost new replica is a verdict; all old ones are needed. */
  lose(stage: FleetStage, replica: FleetReplica): void {
    const isNew = stage.target !== undefined && isOfKind(replica, stage.target);
    this.#fail(stage, isNew ? 'a replica of it was lost' : 'the old variant lost a replica and needs all of them');
  }

  /** Takes new replicas out of service at once, then closes the canary. */
  drop(stage: FleetStage): void {
    const { canary } = stage;
    if (canary === undefined) return;
    this.#effects.shareCanary(stage.id, 0);
    for (const { replicaId: id, status, ...kind } of stage.all()) {
      if (stage.target === undefined || !isOfKind(kind, stage.target)) continue;
      if (status === 'starting') this.#host.retire(stage, id);
      if (status === 'ready') this.#effects.drain(stage.id, this.#host.retire(stage, id));
    }
    const { failure } = canary;
    this.#close(stage, failure === undefined ? { state: 'ended' } : { state: 'rolled-back', why: failure });
  }

  #fail(stage: FleetStage, why: string): void {
    const { canary, target } = stage;
    if (canary === undefined || target === undefined) return;
    const { variantId } = target;
    canary.failure = why;
    this.#host.giveUp(stage, canaryFailed(stage.id, { variantId, fraction: canary.fraction, why }));
  }

  #close(stage: FleetStage, news: Pick<CanaryNews, 'state' | 'why'>): void {
    this.#tell(stage, news);
    stage.canary = undefined;
    this.#effects.closeCanary(stage.id);
    this.#host.markDirty();
  }

  #tell({ id, canary, target }: FleetStage, news: Pick<CanaryNews, 'state' | 'why'>): void {
    if (canary === undefined || target === undefined) return;
    this.#effects.canaryChanged(id, { variantId: target.variantId, fraction: canary.fraction, ...news });
  }
}
