/**
 * A deterministic discrete-event simulation of a pipeline under one plan. The policies are the very objects that serve
 * (`serve/pipeline-scheduler`); only time, arrivals and service times are replaced: an event heap, an arrival process and draws
 * from the profile. The same seed gives the same run on every machine.
 */
import { EventHeap } from '../kernel/event-heap.js';
import { invariant } from '../kernel/invariant.js';
import type { Rng } from '../kernel/rng.js';
import { replicaId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import { drawMs } from '../profile/service-law.js';
import { PipelineScheduler, type ServingEffects } from '../serve/pipeline-scheduler.js';
import type { ServingReplica } from '../serve/replica.js';
import type { RequestState } from '../serve/request-state.js';
import { type ServingGraph, servingGraph } from '../serve/serving-graph.js';
import type { ArrivalProcess } from './arrivals.js';
import { batchPolicies } from './batch-policies.js';
import { SimulationTally } from './simulation-tally.js';

/** What to simulate. `hostCores` bounds the replica threads that run at once (Infinity when they are not on one host). */
export interface SimulationSetup {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly plan: Plan;
  readonly arrivals: ArrivalProcess;
  readonly rng: Rng;
  readonly hostCores: number;
  /** Off for verification: without drops and with unbounded queues a miss shows as a late completion. */
  readonly drops: boolean;
  /** Called at each end of a request with its arrival instant and its latency (undefined when dropped). */
  readonly onEnd?: (arrivedAtMs: number, latencyMs: number | undefined) => void;
}

/** A run's counts together with the simulated time it took. */
export interface SimulationRun {
  readonly tally: SimulationTally;
  readonly endedAtMs: number;
  readonly graph: ServingGraph;
}

type NoPayload = undefined;
type NoContext = undefined;
type Replica = ServingReplica<NoPayload, NoContext>;

/** Event codes: replicas count up from 0. */
const ARRIVAL = -1;
const WAKE = -2;

class Simulation implements ServingEffects<NoPayload, NoContext, never> {
  readonly tally: SimulationTally;
  readonly graph: ServingGraph;
  readonly #setup: SimulationSetup;
  readonly #scheduler: PipelineScheduler<NoPayload, NoContext>;
  readonly #events = new EventHeap();
  readonly #replicas: Replica[] = [];
  readonly #curveOf = new Map<Replica, { readonly index: number; readonly curve: ServiceCurve }>();
  readonly #serviceRng: Rng;
  readonly #fanOutRng: Rng;
  /** Shared arrays of empty items, by length. */
  readonly #emptyItems: NoPayload[][] = [];
  #nowMs = 0;

  constructor(setup: SimulationSetup) {
    const { spec } = setup;
    this.#setup = setup;
    this.graph = servingGraph(spec);
    this.tally = new SimulationTally(this.graph.stages.length, spec.slo.latencyMs);
    this.#serviceRng = setup.rng.fork('service');
    this.#fanOutRng = setup.rng.fork('fan-out');
    const maxQueueLength = setup.drops ? spec.admission.maxQueueLength : Number.POSITIVE_INFINITY;
    const limits = { hostCores: setup.hostCores, maxQueueLength, dropLate: setup.drops };
    this.#scheduler = new PipelineScheduler(this.graph, limits, this);
    this.#startReplicas();
  }

  run(): SimulationRun {
    this.#scheduleArrival();
    while (this.#events.size > 0) {
      this.#nowMs = this.#events.nextAtMs;
      this.#step(this.#events.pop());
    }
    invariant(this.#scheduler.inFlight === 0, 'requests are left in a simulation that has ended');
    return { tally: this.tally, endedAtMs: this.#nowMs, graph: this.graph };
  }

  startBatch(replica: Replica, nowMs: number): void {
    const running = this.#curveOf.get(replica);
    invariant(running !== undefined, 'a batch for an unknown replica');
    const serviceMs = drawMs(running.curve.law(replica.batch.length), this.#serviceRng);
    const stage = this.tally.stages[replica.stage];
    if (stage !== undefined) {
      stage.batches += 1;
      stage.items += replica.batch.length;
      stage.busyMs += serviceMs;
      for (const item of replica.batch) {
        stage.waitMs.record(nowMs - item.enqueuedAtMs);
        stage.serviceMs.record(serviceMs);
      }
    }
    this.#events.push(nowMs + serviceMs, running.index);
  }

  complete(request: RequestState<NoPayload, NoContext>, nowMs: number): void {
    const latencyMs = nowMs - request.arrivedAtMs;
    this.tally.complete(latencyMs);
    this.#setup.onEnd?.(request.arrivedAtMs, latencyMs);
  }

  drop(request: RequestState<NoPayload, NoContext>, reason: Parameters<SimulationTally['drop']>[0]): void {
    this.tally.drop(reason);
    this.#setup.onEnd?.(request.arrivedAtMs, undefined);
  }

  fail(): void {
    invariant(false, 'replicas do not fail in this simulation');
  }

  wakeAt(atMs: number): void {
    this.#events.push(atMs, WAKE);
  }

  drained(): void {}

  /** Draws an item count with the expected mean: its floor or ceiling. */
  fanOut(edge: { readonly index: number }): readonly NoPayload[] {
    const expected = this.#setup.spec.edges[edge.index]?.fanOut?.expected ?? 1;
    const floor = Math.floor(expected);
    return this.#items(this.#fanOutRng.next() < expected - floor ? floor + 1 : floor);
  }

  join(): NoPayload {}

  merge(): NoPayload {}

  share(): NoPayload {}

  #step(event: number): void {
    if (event === ARRIVAL) {
      const nowMs = this.#nowMs;
      this.tally.arrived += 1;
      const deadlineAtMs = nowMs + this.#setup.spec.slo.latencyMs;
      this.#scheduleArrival();
      this.#scheduler.arrive({ context: undefined, arrivedAtMs: nowMs, deadlineAtMs }, undefined);
    } else if (event === WAKE) {
      this.#scheduler.advance(this.#nowMs);
    } else {
      const replica = this.#replicas[event] as Replica;
      this.#scheduler.batchDone(replica, this.#items(replica.batch.length), this.#nowMs);
    }
  }

  #scheduleArrival(): void {
    const atMs = this.#setup.arrivals.nextAtMs();
    if (atMs !== undefined) this.#events.push(atMs, ARRIVAL);
  }

  #startReplicas(): void {
    const { spec, plan, curves } = this.#setup;
    const policies = batchPolicies(spec, plan, curves);
    for (const stage of this.graph.stages) {
      const stagePlan = plan.stages[stage.id]?.[0];
      const policy = policies[stage.index];
      invariant(stagePlan !== undefined && policy !== undefined, `the plan has nothing for stage ${stage.id}`);
      this.#scheduler.setPolicy(stage.index, policy, 0);
      const curve = curves.curve(stage.id, stagePlan.variantId, stagePlan.resources.cpuCores);
      invariant(curve !== undefined, `the plan gives stage ${stage.id} cores that were not profiled`);
      for (let i = 0; i < stagePlan.replicas; i++) this.#startReplica(stage.index, stagePlan, curve);
    }
  }

  #startReplica(stage: number, { variantId, resources }: StagePlan, curve: ServiceCurve): void {
    const index = this.#replicas.length;
    const description = { replicaId: replicaId(`${variantId}-${index}`), cpuCores: resources.cpuCores };
    const replica = this.#scheduler.addReplica(stage, description, 0);
    this.#replicas.push(replica);
    this.#curveOf.set(replica, { index, curve });
  }

  #items(count: number): readonly NoPayload[] {
    let items = this.#emptyItems[count];
    if (items === undefined) {
      items = new Array<NoPayload>(count).fill(undefined);
      this.#emptyItems[count] = items;
    }
    return items;
  }
}

/** Runs a pipeline under one plan until its load has ended and every request has. */
export function simulatePlan(setup: SimulationSetup): SimulationRun {
  return new Simulation(setup).run();
}
