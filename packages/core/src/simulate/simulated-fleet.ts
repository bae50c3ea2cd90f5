/** Replicas of a simulated pipeline: drives `FleetScheduler` in simulated time. */
import { invariant } from '../kernel/invariant.js';
import { AppError } from '../model/app-error.js';
import type { CanaryCounts } from '../model/canary-counts.js';
import { type Change, type LastChange, lastChangeOf } from '../model/change.js';
import type { ReplicaId, StageId, StageVariant, VariantId } from '../model/ids.js';
import type { PipelineSpec, Resources } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { HealthIssue, RunningPlan, RunningReplica } from '../model/running-plan.js';
import { type CpuQuota, quotaOf } from '../profile/cpu-quota.js';
import { capacityRps, type ServiceCurve, type ServiceCurves } from '../profile/service-curves.js';
import { eventRank } from '../serve/event-rank.js';
import { defaultFleetLimits, type FleetEffects } from '../serve/fleet/fleet-effects.js';
import { FleetScheduler } from '../serve/fleet/fleet-scheduler.js';
import type { PipelineScheduler } from '../serve/pipeline-scheduler.js';
import type { ServingReplica } from '../serve/replica.js';
import { canaryRules } from '../serve/rollout/canary.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import type { ServingGraph } from '../serve/serving-graph.js';
import { type FaultSchedule, failsBatches, hangs, type ReplicaFault } from './replica-faults.js';
import { ServingPolicies } from './serving-policies.js';

export type SimulatedReplica = ServingReplica<number, undefined>;

/** `loadMs`: time from start to ready. `schedule` adds an event. */
export interface FleetDeps {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly expectedCurves: ServiceCurves;
  readonly graph: ServingGraph;
  readonly scheduler: PipelineScheduler<number, undefined, AppError>;
  readonly loadMs: (stageId: StageId, variantId: VariantId) => number;
  readonly faults: FaultSchedule | undefined;
  /** False at the end of the load. From then on nothing crashes, so that the simulation ends. */
  readonly loadLasts: () => boolean;
  readonly schedule: (atMs: number, event: number, rank: number) => void;
}

/** `capacityRps` counts the items per second of replicas that accept batches. */
export interface StageUse {
  readonly replicas: number;
  readonly capacityRps: number;
  readonly resources: readonly Resources[];
}

export interface Engine {
  /** Event code for the batches of the replica. */
  readonly index: number;
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly curve: ServiceCurve;
  readonly faults: readonly ReplicaFault[];
  readonly quota: CpuQuota | undefined;
  replica: SimulatedReplica | undefined;
  /** Undefined unless it is lost. Its current batch then never ends. */
  lostAtMs: number | undefined;
  /** Of the last batch. */
  serviceMs: number;
  startedAtMs: number;
}

interface Start {
  readonly stageId: StageId;
  readonly replica: RunningReplica;
}

/** Event codes per replica: alarm, start, crash. */
const FIRST_EVENT = -16;
const KINDS = 3;
const ALARM = 0;
const STARTED = 1;
const CRASHED = 2;

export class SimulatedFleet implements FleetEffects {
  readonly #setup: FleetDeps;
  readonly #fleet: FleetScheduler;
  readonly #policies: ServingPolicies;
  /** Replicas by index, stored before `addReplica`, which may start a batch at once. */
  readonly #engines: Engine[] = [];
  readonly #engineOf = new Map<ReplicaId, Engine>();
  readonly #starts: Start[] = [];
  readonly #unfit: { readonly replicaId: ReplicaId; readonly trouble: HealthIssue }[] = [];
  readonly #late: { readonly replicaId: ReplicaId; readonly isLate: boolean }[] = [];
  /** Replicas that left during a call to the request policies, which must not be re-entered. */
  readonly #left: ReplicaId[] = [];
  #changes: readonly Change[] = [];
  #done = 0;
  #lastChange: LastChange | undefined;
  #canaryAt: StageId | undefined;
  #canaryOf: VariantId | undefined;
  #alarmAtMs = Number.POSITIVE_INFINITY;
  #nowMs = 0;

  constructor(setup: FleetDeps) {
    const { spec, expectedCurves, graph, scheduler } = setup;
    this.#setup = setup;
    this.#policies = new ServingPolicies(spec, expectedCurves, (stageId, policy) =>
      scheduler.setPolicy(this.#stageIndex(stageId), policy, this.#nowMs),
    );
    const stageIds = graph.stages.map(({ id }) => id);
    this.#fleet = new FleetScheduler(
      stageIds,
      { ...changeBounds(spec), ...defaultFleetLimits, canary: canaryRules(spec) },
      this,
    );
  }

  begin(plan: Plan, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#fleet.field(plan);
  }

  setExpectedCurves(curves: ServiceCurves, nowMs: number): void {
    this.#event(nowMs, () => this.#policies.follow(curves));
  }

  engineOf({ index }: SimulatedReplica): Engine {
    return this.#engines[index] as Engine;
  }

  engineAt(index: number): Engine {
    return this.#engines[index] as Engine;
  }

  /** The replica, unless its batch was lost or hangs. */
  answering(index: number, nowMs: number): SimulatedReplica | undefined {
    const { lostAtMs, faults, replica, stageId } = this.#engines[index] as Engine;
    if (lostAtMs !== undefined || (faults.length > 0 && hangs(faults, nowMs))) return undefined;
    const hangsOn = this.#setup.faults?.hangsOn;
    return hangsOn !== undefined && replica?.batch.some(({ payload }) => hangsOn(stageId, payload))
      ? undefined
      : replica;
  }

  fails(index: number, nowMs: number): boolean {
    const { faults } = this.#engines[index] as Engine;
    return faults.length > 0 && failsBatches(faults, nowMs);
  }

  /** Applies changes one by one until one fails. Preempts changes under way. */
  apply(changes: readonly Change[], nowMs: number): void {
    this.#event(nowMs, () => {
      if (this.#fleet.changing) this.#fleet.preempt(nowMs);
      this.#lastChange = undefined;
      this.#changes = changes;
      this.#done = 0;
      this.#applyNext();
    });
  }

  endCanary(nowMs: number, pinned?: StageVariant): void {
    this.#event(nowMs, () => this.#fleet.endCanary(nowMs, pinned));
  }

  /** Last change; undefined during changes, or if none ended since the last call. */
  takeLastChange(): LastChange | undefined {
    if (this.changing) return undefined;
    const last = this.#lastChange;
    this.#lastChange = undefined;
    return last;
  }

  get changing(): boolean {
    return this.#fleet.changing;
  }

  take(event: number, nowMs: number): void {
    const code = FIRST_EVENT - event;
    const number = Math.floor(code / KINDS);
    this.#event(nowMs, () => {
      if (code % KINDS === ALARM) this.#fleet.advance(nowMs);
      else if (code % KINDS === STARTED) this.#started(this.#starts[number] as Start);
      else if (code % KINDS === CRASHED) this.#crash(this.#engines[number] as Engine);
    });
  }

  /** Call `settle` after the request policies return. */
  drained({ replicaId: id }: SimulatedReplica): void {
    this.#left.push(id);
  }

  /** The current batch of the replica never ends. Call `settle` next. */
  unhealthy(replica: SimulatedReplica, trouble: HealthIssue, nowMs: number): void {
    this.engineOf(replica).lostAtMs = nowMs;
    this.#unfit.push({ replicaId: replica.replicaId, trouble });
  }

  runsLate({ replicaId: id }: SimulatedReplica, isLate: boolean): void {
    this.#late.push({ replicaId: id, isLate });
  }

  get unsettled(): boolean {
    return this.#left.length > 0 || this.#late.length > 0;
  }

  settle(nowMs: number): void {
    this.#event(nowMs, () => undefined);
  }

  /** Use by serving, draining and starting replicas. */
  uses(): readonly StageUse[] {
    const { stages } = this.#fleet.runningPlan();
    return this.#setup.graph.stages.map(({ id }) => {
      const { replicas = [], maxBatchSize = 1 } = stages[id] ?? {};
      const present = replicas.filter(({ status }) => status !== 'failed');
      return {
        replicas: present.filter(({ status }) => status !== 'starting').length,
        capacityRps: present.reduce((sum, replica) => sum + this.#capacityRps(replica, maxBatchSize), 0),
        resources: present.map(({ resources }) => resources),
      };
    });
  }

  runningPlan(): RunningPlan {
    return this.#fleet.runningPlan();
  }

  start(stageId: StageId, replica: RunningReplica): void {
    const atMs = this.#nowMs + this.#setup.loadMs(stageId, replica.variantId);
    this.#setup.schedule(atMs, eventCode(STARTED, this.#starts.length), eventRank.start);
    this.#starts.push({ stageId, replica });
  }

  serve(stageId: StageId, replica: RunningReplica): void {
    const { curves, faults: schedule, scheduler } = this.#setup;
    const { replicaId: id, variantId, resources } = replica;
    const curve = curves.curve(stageId, variantId, resources.cpuCores);
    invariant(curve !== undefined, `variant ${variantId} was profiled for ${resources.cpuCores} cores`);
    const faults = schedule?.faultsOf(stageId, replica, this.#nowMs) ?? [];
    const engine: Engine = {
      ...{ index: this.#engines.length, stageId, variantId, curve, faults },
      ...{ replica: undefined, lostAtMs: undefined, serviceMs: 0, startedAtMs: 0 },
      quota: quotaOf(curve, this.#engines.length),
    };
    this.#engines.push(engine);
    this.#engineOf.set(id, engine);
    const inCanary = this.#canaryOf === variantId && this.#canaryAt === stageId;
    const described = { replicaId: id, variantId, cpuCores: curve.dispatchCores, inCanary };
    engine.replica = scheduler.addReplica(this.#stageIndex(stageId), described, this.#nowMs);
    for (const fault of faults) {
      if (fault.kind !== 'crash') continue;
      this.#setup.schedule(Math.max(fault.atMs, this.#nowMs), eventCode(CRASHED, engine.index), eventRank.answer);
    }
  }

  openCanary(stageId: StageId, to: StagePlan): void {
    [this.#canaryAt, this.#canaryOf] = [stageId, to.variantId];
    this.#setup.scheduler.openCanary(this.#stageIndex(stageId), this.#policies.canaryPolicy(stageId, to));
  }

  shareCanary(_stageId: StageId, fraction: number): void {
    this.#setup.scheduler.setCanaryFraction(fraction);
  }

  canaryCounts(): CanaryCounts {
    const counts = this.#setup.scheduler.canaryCounts;
    invariant(counts !== undefined, 'a canary is open');
    return counts;
  }

  closeCanary(): void {
    [this.#canaryAt, this.#canaryOf] = [undefined, undefined];
    this.#setup.scheduler.closeCanary(this.#nowMs);
  }

  canaryChanged(): void {}

  adopt(stageId: StageId, to: StagePlan): void {
    this.#policies.adopt(stageId, to);
  }

  isSkipped(stageId: StageId): boolean {
    return this.#setup.scheduler.omits(this.#stageIndex(stageId));
  }

  drain(_stageId: StageId, { replicaId: id }: RunningReplica): void {
    const replica = this.#engineOf.get(id)?.replica;
    invariant(replica !== undefined, `replica ${id} is in service`);
    this.#setup.scheduler.drainReplica(replica);
  }

  discard(_stageId: StageId, { replicaId: id }: RunningReplica): void {
    this.#left.push(id);
  }

  restartFailed(): void {}

  #applyNext(): void {
    const change = this.#changes[this.#done];
    if (change === undefined) {
      if (this.#done > 0) this.#lastChange = lastChangeOf('applied', this.#changes, this.#done);
      return;
    }
    this.#fleet.apply(change, this.#nowMs, ({ kind }) => {
      if (kind === 'done') {
        this.#done += 1;
        this.#applyNext();
      } else this.#lastChange = lastChangeOf(kind === 'failed' ? kind : 'given-up', this.#changes, this.#done);
    });
  }

  #started({ stageId, replica }: Start): void {
    if (this.#setup.faults?.startFails(stageId, replica) !== true) this.#fleet.started(replica.replicaId, this.#nowMs);
    else this.#fleet.startFailed(replica.replicaId, startFailure(stageId), this.#nowMs);
  }

  #crash(engine: Engine): void {
    const { replica } = engine;
    invariant(replica !== undefined, 'a replica crashes while it is in service');
    if (engine.lostAtMs !== undefined || !this.#engineOf.has(replica.replicaId) || !this.#setup.loadLasts()) return;
    engine.lostAtMs = this.#nowMs;
    this.#setup.scheduler.loseReplica(replica, replicaLostFailure(engine.stageId), this.#nowMs);
    this.#engineOf.delete(replica.replicaId);
    this.#fleet.lost(replica.replicaId, this.#nowMs);
  }

  /** Passes an event to the policy; then handles departures and sets the alarm. */
  #event(nowMs: number, step: () => void): void {
    this.#nowMs = nowMs;
    step();
    for (let late = this.#late.shift(); late !== undefined; late = this.#late.shift())
      this.#fleet.runsLate(late.replicaId, late.isLate, nowMs);
    for (let unfit = this.#unfit.shift(); unfit !== undefined; unfit = this.#unfit.shift())
      this.#fleet.unhealthy(unfit.replicaId, unfit.trouble, nowMs);
    for (let id = this.#left.shift(); id !== undefined; id = this.#left.shift()) {
      this.#engineOf.delete(id);
      this.#fleet.left(id, nowMs);
    }
    const atMs = this.#fleet.nextWakeAtMs;
    if (atMs === this.#alarmAtMs) return;
    this.#alarmAtMs = atMs;
    if (atMs < Number.POSITIVE_INFINITY) this.#setup.schedule(atMs, eventCode(ALARM, 0), eventRank.fleetAlarm);
  }

  #capacityRps({ replicaId: id, status }: RunningReplica, maxBatchSize: number): number {
    const engine = this.#engineOf.get(id);
    return status !== 'ready' || engine === undefined ? 0 : capacityRps(engine.curve, 1, maxBatchSize);
  }

  #stageIndex(stageId: StageId): number {
    const index = this.#setup.spec.stages.findIndex(({ id }) => id === stageId);
    invariant(index >= 0, `the pipeline has no stage ${stageId}`);
    return index;
  }
}

function eventCode(kind: number, number: number): number {
  return FIRST_EVENT - number * KINDS - kind;
}

function startFailure(stageId: StageId): AppError {
  return new AppError('MODEL_LOAD_FAILED', `A replica of stage '${stageId}' did not start.`);
}

export function stageFailure(stageId: StageId): AppError {
  return new AppError('STAGE_FAILED', `Stage '${stageId}' failed.`);
}

export function quarantinedInput(stageId: StageId): AppError {
  return new AppError('REQUEST_QUARANTINED', `Stage '${stageId}' hung on this input.`);
}

export function replicaLostFailure(stageId: StageId): AppError {
  return new AppError('REPLICA_LOST', `Stage '${stageId}' lost a replica.`, { retryable: true });
}
