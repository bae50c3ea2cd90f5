/**
 * A deterministic discrete-event simulation of a pipeline. The policies are the very objects that serve
 * (`serve/pipeline-scheduler`); only time, arrivals and service times are replaced: an event heap, an arrival process and draws
 * from the profile. A controller may change the plan on the way. The same seed gives the same run on every machine.
 */
import { EventHeap } from '../kernel/event-heap.js';
import { invariant } from '../kernel/invariant.js';
import type { Rng } from '../kernel/rng.js';
import { ArrivalRecord } from '../model/arrival-record.js';
import type { Change } from '../model/change.js';
import type { Observation, StageObservation } from '../model/decision.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { DropReason } from '../model/request-outcome.js';
import type { RunningPlan } from '../model/running-plan.js';
import { VariantAges } from '../model/variant-ages.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { drawMs } from '../profile/service-law.js';
import { PipelineScheduler, type ServingEffects } from '../serve/pipeline-scheduler.js';
import type { RequestState } from '../serve/request-state.js';
import { type ServingGraph, servingGraph } from '../serve/serving-graph.js';
import type { ArrivalProcess } from './arrivals/arrival-process.js';
import { branchChances } from './branch-chances.js';
import { SimulatedFleet, type SimulatedReplica } from './simulated-fleet.js';
import { SimulationTally } from './simulation-tally.js';
import { type MeanUse, UseMeter } from './use-meter.js';

/** What to simulate. `hostCores` bounds the replica threads that run at once (Infinity when they are not on one host). */
export interface SimulationSetup {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  /** The plan in force at the start. */
  readonly plan: Plan;
  readonly arrivals: ArrivalProcess;
  readonly rng: Rng;
  readonly hostCores: number;
  /** Off for verification: without drops and with unbounded queues a miss shows as a late completion. */
  readonly drops: boolean;
  readonly controller?: SimulatedController;
  /**
   * Requests that wait at the sources when the simulation begins, as if they had arrived together at that moment; 0 without it. One that
   * waited half-way in what was observed begins anew: more work than is left of it, so that no plan is flattered.
   */
  readonly backlogRequests?: number;
  /** Requests that arrive and batches that start earlier are simulated but not counted; 0 without it. */
  readonly measureFromMs?: number;
  /** Accuracy (fraction) of what runs; without it accuracies count as 0. */
  readonly accuracyOf?: (running: RunningPlan) => number;
  /** Called at each start of a batch, which is that of the replica. */
  readonly onBatch?: (replica: SimulatedReplica, times: { readonly nowMs: number; readonly serviceMs: number }) => void;
  /** Called at each end of a request. */
  readonly onEnd?: (end: SimulatedEnd) => void;
}

/** How a request ended; the latency is undefined when it was dropped. */
export interface SimulatedEnd {
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
  /** Accuracy (fraction) of what runs at that moment. */
  readonly pas: number;
}

/** A control loop in simulated time. Ticks that come while changes are under way are skipped, as a served loop does. */
export interface SimulatedController {
  readonly intervalMs: number;
  decide(observation: Observation): readonly Change[];
  /** Time from start to ready of a replica. */
  loadMs(stageId: StageId, variantId: VariantId): number;
}

/** A run's counts together with the simulated time it took. */
export interface SimulationRun {
  readonly tally: SimulationTally;
  readonly endedAtMs: number;
  readonly graph: ServingGraph;
  /** Of the measured time. */
  readonly meanUse: MeanUse;
}

type Request = RequestState<undefined, undefined>;

/** Event codes: replicas count up from 0. */
const ARRIVAL = -1;
const WAKE = -2;
const TICK = -3;
const CHANGE_DONE = -4;

class Simulation implements ServingEffects<undefined, undefined, never> {
  readonly tally: SimulationTally;
  readonly graph: ServingGraph;
  readonly #setup: SimulationSetup;
  readonly #scheduler: PipelineScheduler<undefined, undefined>;
  readonly #fleet: SimulatedFleet;
  readonly #events = new EventHeap();
  readonly #serviceRng: Rng;
  readonly #fanOutRng: Rng;
  readonly #branchRng: Rng;
  readonly #branchChances: readonly number[];
  readonly #arrivals: ArrivalRecord;
  readonly #ages = new VariantAges();
  /** Shared arrays of empty items, by length. */
  readonly #emptyItems: undefined[][] = [];
  readonly #fromMs: number;
  readonly #meter: UseMeter;
  #pas = 0;
  #loadEnded = false;
  #nowMs = 0;

  constructor(setup: SimulationSetup) {
    const { spec, curves, controller } = setup;
    this.#setup = setup;
    this.graph = servingGraph(spec);
    this.tally = new SimulationTally(this.graph.stages.length, spec.slo.latencyMs);
    this.#fromMs = setup.measureFromMs ?? 0;
    this.#arrivals = new ArrivalRecord(0, spec.slo.latencyMs);
    this.#meter = new UseMeter(this.graph.stages.length, this.#fromMs);
    this.#serviceRng = setup.rng.fork('service');
    this.#fanOutRng = setup.rng.fork('fan-out');
    this.#branchRng = setup.rng.fork('branch');
    this.#branchChances = branchChances(spec);
    const maxQueueLength = setup.drops ? spec.admission.maxQueueLength : Number.POSITIVE_INFINITY;
    const limits = { hostCores: setup.hostCores, maxQueueLength, dropLate: setup.drops };
    this.#scheduler = new PipelineScheduler(this.graph, limits, this);
    const loadMs: SimulatedController['loadMs'] = (...variant) => controller?.loadMs(...variant) ?? 0;
    this.#fleet = new SimulatedFleet({ spec, curves, graph: this.graph, scheduler: this.#scheduler, loadMs });
    this.#fleet.start(setup.plan, 0);
    this.#noteUse();
  }

  run(): SimulationRun {
    for (let i = 0; i < (this.#setup.backlogRequests ?? 0); i++) this.#admit();
    this.#scheduleArrival();
    if (this.#setup.controller !== undefined) this.#events.push(this.#setup.controller.intervalMs, TICK);
    while (this.#events.size > 0) {
      const { nextAtMs } = this.#events;
      invariant(nextAtMs >= this.#nowMs, 'an event lies in the past');
      this.#nowMs = nextAtMs;
      this.#step(this.#events.pop());
    }
    invariant(this.#scheduler.inFlight === 0, 'requests are left in a simulation that has ended');
    return { tally: this.tally, endedAtMs: this.#nowMs, graph: this.graph, meanUse: this.#meter.means(this.#nowMs) };
  }

  startBatch(replica: SimulatedReplica, nowMs: number): void {
    const { curve, index } = this.#fleet.engineOf(replica);
    const serviceMs = drawMs(curve.law(replica.batch.length), this.#serviceRng);
    if (nowMs >= this.#fromMs) this.tally.stages[replica.stage]?.batchStarted(replica.batch, { nowMs, serviceMs });
    this.#setup.onBatch?.(replica, { nowMs, serviceMs });
    this.#events.push(nowMs + serviceMs, index);
  }

  complete(request: Request, nowMs: number): void {
    const { arrivedAtMs } = request;
    const latencyMs = nowMs - arrivedAtMs;
    if (arrivedAtMs >= this.#fromMs) this.tally.complete(latencyMs, this.#pas);
    this.#setup.onEnd?.({ arrivedAtMs, endedAtMs: nowMs, latencyMs, pas: this.#pas });
  }

  drop({ arrivedAtMs, droppedAtStage }: Request, reason: DropReason, nowMs: number): void {
    if (arrivedAtMs >= this.#fromMs) this.tally.drop(reason, droppedAtStage);
    this.#setup.onEnd?.({ arrivedAtMs, endedAtMs: nowMs, latencyMs: undefined, pas: this.#pas });
  }

  fail(): void {
    invariant(false, 'replicas do not fail in this simulation');
  }

  wakeAt(atMs: number): void {
    this.#events.push(atMs, WAKE);
  }

  drained(replica: SimulatedReplica): void {
    this.#fleet.left(replica);
    this.#meter.note(this.#fleet.uses(), this.#nowMs);
  }

  /** Draws whether a branch is taken, with the expected probability. */
  takes(edge: { readonly index: number }): boolean {
    return this.#branchRng.next() < (this.#branchChances[edge.index] ?? 1);
  }

  /** Draws an item count with the expected mean: its floor or ceiling. */
  fanOut(edge: { readonly index: number }): readonly undefined[] {
    const expected = this.#setup.spec.edges[edge.index]?.fanOut?.expected ?? 1;
    const floor = Math.floor(expected);
    return this.#items(this.#fanOutRng.next() < expected - floor ? floor + 1 : floor);
  }

  join(): undefined {}

  merge(): undefined {}

  share(): undefined {}

  #step(event: number): void {
    if (event === ARRIVAL) this.#arrive();
    else if (event === WAKE) this.#scheduler.advance(this.#nowMs);
    else if (event === TICK) this.#tick();
    else if (event === CHANGE_DONE) this.#finishChange();
    else {
      const replica = this.#fleet.replicaAt(event);
      this.#scheduler.batchDone(replica, this.#items(replica.batch.length), this.#nowMs);
    }
  }

  #arrive(): void {
    this.#scheduleArrival();
    this.#admit();
  }

  #admit(): void {
    const arrivedAtMs = this.#nowMs;
    if (arrivedAtMs >= this.#fromMs) this.tally.arrived += 1;
    if (this.#setup.controller !== undefined) this.#arrivals.arrived(arrivedAtMs);
    const deadlineAtMs = arrivedAtMs + this.#setup.spec.slo.latencyMs;
    this.#scheduler.arrive({ context: undefined, arrivedAtMs, deadlineAtMs }, undefined);
  }

  #scheduleArrival(): void {
    const atMs = this.#setup.arrivals.nextAtMs();
    if (atMs === undefined) this.#loadEnded = true;
    else this.#events.push(atMs, ARRIVAL);
  }

  #tick(): void {
    const { controller } = this.#setup;
    if (controller === undefined || this.#loadEnded) return;
    this.#events.push(this.#nowMs + controller.intervalMs, TICK);
    if (this.#fleet.changing) return;
    this.#scheduleChange(this.#fleet.enqueue(controller.decide(this.#observe()), this.#nowMs));
    this.#meter.note(this.#fleet.uses(), this.#nowMs);
  }

  #finishChange(): void {
    const nextMs = this.#fleet.finishChange(this.#nowMs);
    this.#noteUse();
    this.#scheduleChange(nextMs);
  }

  /** Takes note of a change in what serves. */
  #noteUse(): void {
    const running = this.#fleet.runningPlan();
    this.#ages.note(running, this.#nowMs);
    this.#pas = this.#setup.accuracyOf?.(running) ?? 0;
    this.#meter.note(this.#fleet.uses(), this.#nowMs);
  }

  #scheduleChange(doneAtMs: number | undefined): void {
    if (doneAtMs !== undefined) this.#events.push(doneAtMs, CHANGE_DONE);
  }

  #observe(): Observation {
    const burstiness = this.#arrivals.burstiness(this.#nowMs);
    const arrivalsPerSecond = this.#arrivals.arrivalsPerSecond(this.#nowMs);
    const stages: Record<StageId, StageObservation> = {};
    for (const { id, index } of this.graph.stages) {
      const sinceMs = this.#ages.sinceMs(id);
      const queueLength = this.#scheduler.queueLength(index);
      stages[id] = {
        queueLength,
        droppedTotal: this.tally.stages[index]?.dropped ?? 0,
        ...(sinceMs === undefined ? {} : { variantSinceMs: sinceMs }),
      };
    }
    return {
      atMs: this.#nowMs,
      load: { arrivalsPerSecond, ...(burstiness && { burstiness }) },
      stages,
      runningPlan: this.#fleet.runningPlan(),
      staleSources: [],
    };
  }

  #items(count: number): readonly undefined[] {
    let items = this.#emptyItems[count];
    if (items === undefined) {
      items = new Array<undefined>(count).fill(undefined);
      this.#emptyItems[count] = items;
    }
    return items;
  }
}

/** Runs a pipeline until its load has ended and every request has. */
export function simulatePlan(setup: SimulationSetup): SimulationRun {
  return new Simulation(setup).run();
}
