/**
 * Deterministic discrete-event simulation with the objects that serve (`serve/pipeline-scheduler`). Time, clients,
 * replicas and faults are simulated. Equal seeds give equal runs on every machine.
 */
import type { HistoryRecorder, HistorySample } from '../history/history-recorder.js';
import { EventHeap } from '../kernel/event-heap.js';
import { Fifo } from '../kernel/fifo.js';
import { invariant } from '../kernel/invariant.js';
import type { Rng } from '../kernel/rng.js';
import type { AppError } from '../model/app-error.js';
import { ArrivalRecord } from '../model/arrival-record.js';
import type { Observation } from '../model/decision.js';
import type { StageId } from '../model/ids.js';
import { buildObservation } from '../model/observation.js';
import { defaultPriorities, type PipelineSpec, type PrioritySpec, priorityLevel } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';
import { behindUpstream, hasSharesByUpstream } from '../model/resolved-spec.js';
import { DwellTracker, type HealthIssue, servingVariants } from '../model/running-plan.js';
import type { ThreadCost } from '../model/service-correction.js';
import { usableCores } from '../profile/recent-use.js';
import { drawMs } from '../profile/service-law.js';
import { eventRank } from '../serve/event-rank.js';
import { mayComeOfPlan, tooManyItems } from '../serve/fan-out-bound.js';
import { PipelineScheduler } from '../serve/pipeline-scheduler.js';
import type { RequestState, StageItem } from '../serve/request-state.js';
import type { ServingEffects } from '../serve/serving-effects.js';
import { type ServingEdge, type ServingGraph, servingGraph } from '../serve/serving-graph.js';
import { CorrectedTimes } from './corrected-times.js';
import { ItemChances } from './item-chances.js';
import { QueueTimes } from './queue-times.js';
import { slowness } from './replica-faults.js';
import type { RequestPaths } from './request-paths.js';
import { ServingThread, threadCostOf } from './serving-thread.js';
import {
  type Engine,
  quarantinedInput,
  replicaLostFailure,
  SimulatedFleet,
  type SimulatedReplica,
  stageFailure,
} from './simulated-fleet.js';
import type { SimulatedController, SimulatedEnd, SimulationInput, SimulationRun } from './simulation-input.js';
import { SimulationTally } from './simulation-tally.js';
import { UseMeter } from './use-meter.js';

type Request = RequestState<number, undefined>;
type SimulatedItem = StageItem<number, undefined>;

/** Event codes. Those of replicas count up from 0, those of the fleet down from −16. */
const WAKE = -1;
const TICK = -2;
const CLIENT_GONE = -3;
const DRAIN = -4;
const EDGES = -5;
/** A turn of the serving thread. */
const TURN = -6;
/** Turns apart from those of replicas, which are their event codes. */
const ARRIVAL = -1;
const ADVANCE = -2;
/** Time after the load in which open canaries may end by themselves. */
const LONGEST_CANARY_MS = 600_000;

class Simulation implements ServingEffects<number, undefined, AppError> {
  readonly tally: SimulationTally;
  readonly graph: ServingGraph;
  readonly #input: SimulationInput;
  readonly #scheduler: PipelineScheduler<number, undefined, AppError>;
  readonly #fleet: SimulatedFleet;
  readonly #events = new EventHeap();
  readonly #serviceRng: Rng;
  readonly #paths: RequestPaths;
  readonly #arrivals: ArrivalRecord;
  readonly #ages = new DwellTracker();
  /** Reused for each batch: policies read it before the next batch ends. */
  readonly #outputs: number[] = [];
  /** Reused for each request, which copies it. */
  readonly #arrival = { context: undefined, arrivedAtMs: 0, deadlineAtMs: 0, level: 0 };
  readonly #impatient: { readonly goneAtMs: number; readonly request: Request }[] = [];
  readonly #fromMs: number;
  readonly #loadEndsAtMs: number;
  readonly #priorities: PrioritySpec;
  readonly #unstatedLevel: number;
  readonly #meter: UseMeter;
  readonly #history: HistoryRecorder | undefined;
  readonly #queueTimes: QueueTimes | undefined;
  /** Spec whose edges hold now. */
  #stated: PipelineSpec;
  /** Undefined unless its work was measured. */
  readonly #thread: ServingThread | undefined;
  /** Of the arrivals that wait for their turns. */
  readonly #waitingParts = new Fifo<readonly boolean[] | undefined>();
  /** Since the first batch with a corrected curve. */
  #corrected: CorrectedTimes | undefined;
  #arrived = 0;
  #pas = 0;
  #failedHere = 0;
  #admitted = 0;
  /** Next arrival; Infinity at the end of the load. */
  #arrivesAtMs = 0;
  /** Infinity during the load. */
  #lastArrivalAtMs = Number.POSITIVE_INFINITY;
  #nowMs = 0;
  /** Of the last arrival, batch or end of a request; alarms, ticks and changes of replicas may come long after. */
  #endedAtMs = 0;

  constructor(input: SimulationInput) {
    const { spec, curves, controller } = input;
    this.#input = input;
    this.graph = servingGraph(spec);
    this.tally = new SimulationTally(this.graph.stages.length, spec.slo.latencyMs);
    this.#fromMs = input.measureFromMs ?? 0;
    this.#loadEndsAtMs = input.loadEndsAtMs ?? 0;
    this.#priorities = spec.admission.priorities ?? defaultPriorities;
    this.#unstatedLevel = priorityLevel(this.#priorities);
    this.#arrivals = new ArrivalRecord(0, spec.slo.latencyMs);
    this.#meter = new UseMeter(this.graph.stages.length, this.#fromMs);
    const { onQueueEmptied } = input;
    this.#queueTimes = onQueueEmptied && new QueueTimes(this.graph.stages.length, onQueueEmptied);
    this.#serviceRng = input.rng.fork('service');
    this.#stated = spec;
    this.#paths =
      input.paths ??
      new ItemChances(
        behindUpstream(spec, (id) => input.plan.stages[id]?.[0]?.variantId),
        input.rng,
      );
    const maxQueueLength = input.drops ? spec.admission.maxQueueLength : Number.POSITIVE_INFINITY;
    const limits = {
      hostCores: input.hostCores,
      maxQueueLength,
      dropLate: input.drops,
      priorityShares: this.#priorities.shares,
      maxWaitFraction: spec.admission.maxWaitFraction,
      answerMarginMs: input.drops ? spec.admission.answerMarginMs : 0,
      watchReplicas: input.faults !== undefined,
    };
    this.#scheduler = new PipelineScheduler(this.graph, limits, this, this.#paths);
    const loadMs: SimulatedController['loadMs'] = (...variant) => controller?.loadMs(...variant) ?? 0;
    this.#fleet = new SimulatedFleet({
      expectedCurves: controller?.expectedCurves?.() ?? input.policyCurves ?? curves,
      spec,
      curves,
      graph: this.graph,
      scheduler: this.#scheduler,
      loadMs,
      faults: input.faults,
      loadLasts: () => this.#loadLasts,
      schedule: (atMs, event, rank) => this.#events.push(atMs, event, rank),
    });
    const threadCost = threadCostOf(spec, curves);
    this.#thread = threadCost && this.#servingThread(threadCost);
    this.#fleet.begin(input.plan, 0);
    this.#noteUse();
    this.#history = input.recorder?.(() => this.#sample());
  }

  run(): SimulationRun {
    for (let i = 0; i < (this.#input.backlogRequests ?? 0); i++) this.#admit(undefined);
    this.#drawArrival();
    const { controller, drainsAtMs, laterEdges } = this.#input;
    if (controller !== undefined) this.#events.push(controller.intervalMs, TICK, eventRank.tick);
    if (drainsAtMs !== undefined) this.#events.push(drainsAtMs, DRAIN, eventRank.tick);
    if (laterEdges !== undefined) this.#events.push(laterEdges.atMs, EDGES, eventRank.tick);
    for (;;) {
      // Arrivals are the most frequent events and known one at a time, so they bypass the heap.
      const isArrival = this.#events.isBefore(this.#arrivesAtMs, eventRank.arrival);
      if (!isArrival && this.#events.size === 0) break;
      const atMs = isArrival ? this.#arrivesAtMs : this.#events.nextAtMs;
      invariant(atMs >= this.#nowMs, 'an event lies in the past');
      this.#nowMs = atMs;
      this.#history?.advance(atMs);
      if (isArrival) this.#arrive();
      else this.#step(this.#events.pop());
      this.#thread?.end(atMs);
    }
    const mayHang = this.#input.faults !== undefined;
    invariant(mayHang || this.#scheduler.inFlight === 0, 'requests are left in a simulation that has ended');
    const endedAtMs = Math.max(this.#endedAtMs, this.#loadEndsAtMs);
    return { tally: this.tally, endedAtMs, graph: this.graph, meanUse: this.#meter.means(endedAtMs) };
  }

  startBatch(replica: SimulatedReplica, nowMs: number): void {
    const engine = this.#fleet.engineOf(replica);
    const { index, faults } = engine;
    const drawnMs = this.#drawMs(replica, engine, nowMs);
    const slowedMs = faults.length === 0 ? drawnMs : drawnMs * slowness(faults, nowMs);
    const serviceMs = engine.quota === undefined ? slowedMs : engine.quota.batchMs(nowMs, slowedMs);
    engine.serviceMs = serviceMs;
    engine.startedAtMs = nowMs;
    if (nowMs >= this.#fromMs) this.tally.stages[replica.stage]?.batchStarted(replica.batch, nowMs, serviceMs);
    this.#input.onBatch?.(replica, { nowMs, serviceMs });
    this.#queueTimes?.batchStarted(replica, this.#scheduler.queueLength(replica.stage), nowMs);
    const sendingMs = this.#thread?.send(engine.curve, replica.batch.length) ?? 0;
    this.#events.push(nowMs + sendingMs + serviceMs, index, eventRank.answer);
  }

  #servingThread(cost: ThreadCost): ServingThread {
    return new ServingThread({
      cost,
      clientMs: this.#input.clientMs ?? 0,
      rng: this.#input.rng.fork('serving-thread'),
      beforeMs: (turn, thread) => {
        if (turn === ADVANCE) return 0;
        if (turn === ARRIVAL) return thread.arrivalMs;
        const { curve, replica } = this.#fleet.engineAt(turn);
        return thread.halfHopMs(curve, replica?.batch.length ?? 0);
      },
      schedule: (atMs) => this.#events.push(atMs, TURN, eventRank.answer),
      onQueueEmptied: this.#input.onQueueEmptied,
    });
  }

  #drawMs({ stage, batch }: SimulatedReplica, { curve, index }: Engine, nowMs: number): number {
    const { serviceTimes } = this.#input;
    const batchSize = batch.length;
    if (serviceTimes !== undefined) return serviceTimes.drawMs({ stage, batchSize, nowMs }, this.#serviceRng);
    if (curve.calibrated !== undefined) this.#corrected ??= this.#correctedTimes();
    if (this.#corrected === undefined) return drawMs(curve.law(batchSize), this.#serviceRng);
    return this.#corrected.start({ curve, batchSize, engine: index }, nowMs, this.#serviceRng);
  }

  #correctedTimes(): CorrectedTimes {
    const { hostCores, plan } = this.#input;
    const replicas = Object.values(plan.stages)
      .flat()
      .reduce((sum, stage) => sum + stage.replicas, 0);
    return new CorrectedTimes(usableCores(hostCores, replicas));
  }

  complete(request: Request, nowMs: number): void {
    this.#thread?.answer();
    if (request.arrivedAtMs >= this.#fromMs) this.tally.complete(nowMs - request.arrivedAtMs, this.#pas);
    this.#tellEnd(request, 'completed', nowMs);
  }

  drop(request: Request, reason: DropReason, nowMs: number): void {
    this.#thread?.refuse();
    if (request.arrivedAtMs >= this.#fromMs) this.tally.drop(reason, request.droppedAtStage);
    this.#tellEnd(request, reason, nowMs);
  }

  fail(request: Request, failure: AppError, nowMs: number): void {
    if (request.arrivedAtMs >= this.#fromMs) {
      this.tally.failed += 1;
      if (mayComeOfPlan(failure)) this.#failedHere += 1;
    }
    this.#tellEnd(request, 'failed', nowMs, !mayComeOfPlan(failure));
  }

  wakeAt(atMs: number): void {
    this.#events.push(atMs, WAKE, eventRank.servingAlarm);
  }

  unhealthy(replica: SimulatedReplica, trouble: HealthIssue): void {
    this.#fleet.unhealthy(replica, trouble, this.#nowMs);
  }

  runsLate(replica: SimulatedReplica, isLate: boolean): void {
    this.#fleet.runsLate(replica, isLate);
  }

  hungFailure(stage: number): AppError {
    return replicaLostFailure(this.graph.stages[stage]?.id as StageId);
  }

  quarantineFailure(stage: number): AppError {
    return quarantinedInput(this.graph.stages[stage]?.id as StageId);
  }

  inputKey({ payload }: SimulatedItem): string {
    return String(payload);
  }

  inputQuarantined(): void {}

  tooManyItems({ from }: ServingEdge, items: number, most: number): AppError {
    return tooManyItems(this.graph.stages[from]?.id as StageId, items, most);
  }

  drained(replica: SimulatedReplica): void {
    this.#fleet.drained(replica);
  }

  #step(event: number): void {
    if (event >= 0) this.#replicaAnswers(event);
    else if (event === TURN) this.#takeTurn();
    else if (event === WAKE) this.#ring();
    else if (event === TICK) this.#tick();
    else if (event === CLIENT_GONE) this.#cancel();
    else if (event === DRAIN) this.#drain();
    else if (event === EDGES) this.#followEdges();
    else {
      this.#fleet.take(event, this.#nowMs);
      // Without requests, a canary that saw too few of them would stay open forever.
      if (this.#nowMs > this.#lastArrivalAtMs + LONGEST_CANARY_MS) this.#fleet.endCanary(this.#nowMs);
      this.#noteUse();
    }
  }

  #replicaAnswers(index: number): void {
    if (this.#thread === undefined) this.#endBatch(index);
    else {
      this.#corrected?.ended(index, this.#nowMs);
      this.#thread.take(index, this.#nowMs);
    }
  }

  /** An alarm waits for all that came before it. */
  #ring(): void {
    if (this.#thread?.isBusyAt(this.#nowMs)) this.#thread.take(ADVANCE, this.#nowMs);
    else this.#wake();
  }

  #takeTurn(): void {
    const turn = this.#thread?.begin(this.#nowMs);
    if (turn === undefined) return;
    if (turn === ARRIVAL) this.#admit(this.#waitingParts.shift());
    else if (turn === ADVANCE) this.#wake();
    else this.#endBatch(turn);
    this.#thread?.endTurn(this.#nowMs);
  }

  #followEdges(): void {
    const { spec, laterEdges } = this.#input;
    if (laterEdges === undefined) return;
    this.#stated = { ...spec, edges: laterEdges.edges };
    this.#paths.follow(behindUpstream(this.#stated, servingVariants(this.#fleet.runningPlan())));
  }

  #wake(): void {
    this.#scheduler.advance(this.#nowMs);
    if (this.#fleet.unsettled) this.#settleFleet();
  }

  #endBatch(index: number): void {
    this.#corrected?.ended(index, this.#nowMs);
    const replica = this.#fleet.answering(index, this.#nowMs);
    if (replica === undefined) {
      this.#noteLost(this.#fleet.engineAt(index));
      return;
    }
    this.#endedAtMs = this.#nowMs;
    const { batch, stage } = replica;
    const failed = this.#input.faults !== undefined && this.#fleet.fails(index, this.#nowMs);
    if (this.#history !== undefined) this.#recordBatch(replica, this.#history, failed);
    if (failed) this.#failBatch(replica);
    const outputs = this.#outputs;
    for (let i = 0; i < batch.length; i++) outputs[i] = this.#paths.output(stage, (batch[i] as SimulatedItem).payload);
    this.#scheduler.batchDone(replica, outputs, this.#nowMs, this.#cpuMs(replica));
    if (this.#fleet.unsettled) this.#settleFleet();
  }

  #noteLost({ lostAtMs, replica, startedAtMs, serviceMs }: Engine): void {
    if (lostAtMs === undefined || replica === undefined || startedAtMs < this.#fromMs) return;
    this.tally.stages[replica.stage]?.batchLost(Math.max(0, startedAtMs + serviceMs - lostAtMs));
  }

  /** CPU time of the ended batch, which shares are charged; undefined where only its time is known. */
  #cpuMs(replica: SimulatedReplica): number | undefined {
    if (this.#corrected === undefined) return undefined;
    const { curve, serviceMs } = this.#fleet.engineOf(replica);
    return curve.calibrated && serviceMs * curve.calibrated.correction.cpuFraction;
  }

  #recordBatch(replica: SimulatedReplica, history: HistoryRecorder, failed: boolean): void {
    const { batch, replicaId } = replica;
    const { stageId, variantId, curve, serviceMs, startedAtMs } = this.#fleet.engineOf(replica);
    const size = batch.length;
    const waitsMs = batch.map(({ enqueuedAtMs }) => startedAtMs - enqueuedAtMs);
    const names = { stageId, variantId, replicaId, cpuCores: curve.cpuCores };
    const failedItems = failed ? size : 0;
    history.batchEnded({ ...names, size, failedItems, serviceMs, busyMs: serviceMs, waitsMs }, this.#nowMs);
  }

  #sample(): Omit<HistorySample, 'plan'> {
    return {
      arrived: this.#arrived,
      stages: this.graph.stages.map(({ index }) => {
        const { slow, hung } = this.#scheduler.issues(index);
        return {
          arrived: this.#scheduler.arrivals(index),
          dropped: this.tally.stages[index]?.dropped ?? 0,
          replacedSlow: slow + hung,
          queueLength: this.#scheduler.queueLength(index),
        };
      }),
      edges: this.#scheduler.edgeCounts.all,
      runningPlan: this.#fleet.runningPlan(),
    };
  }

  #failBatch(replica: SimulatedReplica): void {
    const failure = stageFailure(this.graph.stages[replica.stage]?.id as StageId);
    const failures = new Map(replica.batch.map((item) => [item, failure]));
    this.#scheduler.failBatch(replica, failures, 'failed', this.#nowMs);
  }

  #settleFleet(): void {
    this.#fleet.settle(this.#nowMs);
    this.#noteUse();
  }

  #arrive(): void {
    this.#endedAtMs = this.#nowMs;
    // The next arrival is drawn first, so the parts wait in order.
    this.#drawArrival();
    const parts = this.#input.arrivals.takeParts?.();
    if (this.#thread === undefined) this.#admit(parts);
    else {
      this.#waitingParts.push(parts);
      this.#thread.take(ARRIVAL, this.#nowMs);
    }
  }

  /** `parts`: sources that the request has; default: by their shares. */
  #admit(parts: readonly boolean[] | undefined): void {
    const arrivedAtMs = this.#nowMs;
    if (arrivedAtMs >= this.#fromMs) this.tally.arrived += 1;
    this.#arrived += 1;
    if (this.#input.controller !== undefined) this.#arrivals.arrived(arrivedAtMs);
    const { clients, spec } = this.#input;
    const sequence = this.#admitted++;
    const priority = clients?.priority?.(sequence);
    const level = priority === undefined ? this.#unstatedLevel : priorityLevel(this.#priorities, priority);
    const arrival = this.#arrival;
    arrival.arrivedAtMs = arrivedAtMs;
    arrival.deadlineAtMs = arrivedAtMs + (clients?.timeoutMs(sequence) ?? spec.slo.latencyMs);
    arrival.level = level;
    const request = this.#scheduler.arrive(arrival, this.#paths.request(sequence, parts));
    if (clients !== undefined && !request.ended) this.#watchClient(request, arrivedAtMs + clients.patienceMs(sequence));
    if (this.#fleet.unsettled) this.#settleFleet();
  }

  #watchClient(request: Request, goneAtMs: number): void {
    if (goneAtMs === Number.POSITIVE_INFINITY) return;
    const place = this.#impatient.findLastIndex((other) => other.goneAtMs <= goneAtMs);
    this.#impatient.splice(place + 1, 0, { goneAtMs, request });
    this.#events.push(goneAtMs, CLIENT_GONE, eventRank.cancellation);
  }

  #cancel(): void {
    const first = this.#impatient.shift();
    if (first !== undefined) this.#scheduler.cancel(first.request, this.#nowMs);
    if (this.#fleet.unsettled) this.#settleFleet();
  }

  #drain(): void {
    this.#scheduler.beginDraining();
    if (this.#fleet.unsettled) this.#settleFleet();
  }

  #drawArrival(): void {
    this.#arrivesAtMs = this.#input.arrivals.nextAtMs() ?? Number.POSITIVE_INFINITY;
    if (this.#arrivesAtMs === Number.POSITIVE_INFINITY) this.#lastArrivalAtMs = this.#nowMs;
  }

  #tick(): void {
    const { controller } = this.#input;
    if (controller === undefined || !this.#loadLasts) return;
    this.#events.push(this.#nowMs + controller.intervalMs, TICK, eventRank.tick);
    const { changing } = this.#fleet;
    if (changing && controller.looksWhileChanging !== true) return;
    const changes = controller.decide({
      nowMs: this.#nowMs,
      changing,
      observe: () => this.#observe(),
      peek: () => this.#peek(),
      endCanary: (pinned) => this.#fleet.endCanary(this.#nowMs, pinned),
    });
    const expected = controller.expectedCurves?.();
    if (expected !== undefined) this.#fleet.setExpectedCurves(expected, this.#nowMs);
    if (changes !== undefined && (!changing || changes.length > 0)) this.#fleet.apply(changes, this.#nowMs);
    this.#noteUse();
  }

  #noteUse(): void {
    const running = this.#fleet.runningPlan();
    this.#ages.note(running, this.#nowMs);
    // New outputs count as those behind the variants that run now.
    if (hasSharesByUpstream(this.#stated)) this.#paths.follow(behindUpstream(this.#stated, servingVariants(running)));
    this.#input.onFleet?.(running, this.#nowMs);
    this.#pas = this.#input.accuracyOf?.(running) ?? 0;
    if (!this.#loadLasts && this.#answeredAll) return;
    this.#meter.note(this.#fleet.uses(), this.#nowMs);
    this.#endedAtMs = this.#nowMs;
  }

  get #loadLasts(): boolean {
    return this.#arrivesAtMs < Number.POSITIVE_INFINITY || this.#nowMs < this.#loadEndsAtMs;
  }

  /** Of the requests so far. Changes of replicas may end long after the load and its last answer, and do not count. */
  get #answeredAll(): boolean {
    return this.#waitingParts.isEmpty && this.#scheduler.inFlight === 0;
  }

  #tellEnd(request: Request, outcome: SimulatedEnd['outcome'], nowMs: number, byClient = false): void {
    this.#endedAtMs = nowMs;
    if (this.#history === undefined && this.#input.onEnd === undefined) return;
    const { sequence, arrivedAtMs, deadlineAtMs, missing } = request;
    this.#history?.requestEnded({
      endedAtMs: nowMs,
      latencyMs: nowMs - arrivedAtMs,
      leftMs: deadlineAtMs - arrivedAtMs,
      outcome,
      byClient,
    });
    if (this.#input.onEnd === undefined) return;
    const latencyMs = outcome === 'completed' ? nowMs - arrivedAtMs : undefined;
    this.#input.onEnd({
      sequence,
      outcome,
      arrivedAtMs,
      endedAtMs: nowMs,
      latencyMs,
      missing: missing?.length ?? 0,
      pas: this.#pas,
    });
  }

  #observe(): Observation {
    const lastChange = this.#fleet.takeLastChange();
    return { ...this.#peek(), edges: this.#scheduler.edgeCounts.take(), ...(lastChange && { lastChange }) };
  }

  #peek(): Observation {
    const burstiness = this.#arrivals.burstiness(this.#nowMs);
    const arrivalsPerSecond = this.#arrivals.arrivalsPerSecond(this.#nowMs);
    return buildObservation({
      atMs: this.#nowMs,
      load: { arrivalsPerSecond, latest: this.#arrivals.latest(this.#nowMs), ...(burstiness && { burstiness }) },
      stages: this.graph.stages.map(({ id, index }) => ({
        id,
        queueLength: this.#scheduler.queueLength(index),
        droppedTotal: this.tally.stages[index]?.dropped ?? 0,
      })),
      dwell: this.#ages,
      runningPlan: this.#fleet.runningPlan(),
      failedTotal: this.#failedHere,
      ...(this.#fleet.changing && { changing: true }),
    });
  }
}

export function simulatePlan(input: SimulationInput): SimulationRun {
  return new Simulation(input).run();
}
