/**
 * Random ensembles whose plans switch in the middle of requests: members, quorum, threshold and replicas. The real fleet,
 * drop rules and scheduler run in simulated time. `Contract` states what a request is promised when it enters
 * (decisions 21, 24, 30 and 31), without the code that serves. Violations are sentences.
 */
import { diffPlans, diffUnderWay } from '../control/diff-plans.js';
import { EventHeap } from '../kernel/event-heap.js';
import { drawExponential, type Rng, SeededRng } from '../kernel/rng.js';
import type { AppError } from '../model/app-error.js';
import { type StageId, stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { quorumChoices } from '../model/quorum.js';
import type { DropReason } from '../model/request-outcome.js';
import type { HealthIssue } from '../model/running-plan.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import type { BatchPolicy } from '../serve/batch-policy.js';
import { eventRank } from '../serve/event-rank.js';
import type { PayloadAlgebra } from '../serve/graph-walk.js';
import { PipelineScheduler } from '../serve/pipeline-scheduler.js';
import type { RequestState, StageItem } from '../serve/request-state.js';
import { coresOf } from '../serve/rollout/headroom.js';
import type { ServingEffects } from '../serve/serving-effects.js';
import { type ServingEdge, type ServingGraph, servingGraph } from '../serve/serving-graph.js';
import { randomFaults } from './replica-faults.js';
import { SimulatedFleet, type SimulatedReplica, stageFailure } from './simulated-fleet.js';

export interface SwitchedRun {
  readonly violations: readonly string[];
  readonly completed: number;
  readonly dropped: number;
  readonly failed: number;
  /** Completed without lost parts. */
  readonly partial: number;
  /** Requests that ended under another promise than that under which they entered. */
  readonly crossing: number;
  /** Changes of plans that ended in a failure, as for lack of headroom. */
  readonly failedChanges: number;
}

const [HEAD, VOTE, TAIL] = [stageId('head'), stageId('vote'), stageId('tail')];
const THRESHOLDS = [0.3, 0.7];
const REQUESTS = 150;

/** A vote of members, each a chain of stages. */
interface Ensemble {
  readonly spec: PipelineSpec;
  readonly members: readonly (readonly StageId[])[];
  /** Members that a plan may omit. */
  readonly optional: ReadonlySet<number>;
  /** Member that only unsure requests visit. */
  readonly conditional: number | undefined;
  /** Empty for a join of all. */
  readonly quorums: readonly number[];
  readonly carrier: StageId | undefined;
}

/** Promise to a request. `members` are the stages that its plan runs. */
interface Commitment {
  readonly members: readonly number[];
  readonly quorum: number | undefined;
  readonly threshold: number | undefined;
}

const oneOf = <T>(rng: Rng, values: readonly T[]): T => values[Math.floor(rng.next() * values.length)] as T;

function randomEnsemble(rng: Rng): Ensemble {
  const count = 2 + Math.floor(rng.next() * 4);
  const members = Array.from({ length: count }, (_, member) =>
    Array.from({ length: 1 + Math.floor(rng.next() * 3) }, (__, place) => stageId(`m${member}s${place}`)),
  );
  const [hasHead, hasTail] = [rng.next() < 0.7, rng.next() < 0.5];
  const conditional = hasHead && count > 2 && rng.next() < 0.5 ? count - 1 : undefined;
  const optional = new Set([...members.keys()].filter(() => rng.next() < 0.75));
  const lists = [[], [], [1], [2], [1, 2], [1, count], [2, count]].filter((list) => list.every((k) => k <= count));
  const quorums = [...new Set(oneOf(rng, lists))];
  const joined: Partial<EdgeSpec> =
    quorums.length > 0
      ? { join: { quorum: quorums[0] ?? 1, ...(quorums.length > 1 && { quorums }) } }
      : rng.next() < 0.5
        ? { onMissing: 'partial' }
        : {};
  const when = { condition: 'unsure', probability: 0.5, thresholds: oneOf(rng, [THRESHOLDS, [0.5]]) };
  const edges = members.flatMap((stages, member): readonly EdgeSpec[] => [
    ...(hasHead ? [{ from: HEAD, to: stages[0] as StageId, ...(member === conditional && { when }) }] : []),
    ...stages.slice(1).map((to, place) => ({ from: stages[place] as StageId, to })),
    { from: stages.at(-1) as StageId, to: VOTE, ...joined },
  ]);
  const ids = [...(hasHead ? [HEAD] : []), ...members.flat(), ...(hasTail ? [TAIL] : [])];
  const points = [1, 4].map((batchSize) => {
    const meanMs = 3 + Math.floor(rng.next() * 4) + batchSize;
    return { cpuCores: 1, batchSize, meanMs };
  });
  const chain = chainSpec(Object.fromEntries(ids.map((id) => [id, points])));
  const marked = new Set([...optional].map((member) => oneOf(rng, members[member] as readonly StageId[])));
  const spec: PipelineSpec = {
    ...chain,
    slo: { latencyMs: oneOf(rng, [80, 400]), percentile: 99 },
    admission: { maxQueueLength: oneOf(rng, [5, 1000]) },
    sources: [{ name: 'in', to: hasHead ? [HEAD] : members.map(([first]) => first as StageId), tensors: [] }],
    stages: chain.stages.map((stage) => ({ ...stage, ...(marked.has(stage.id) && { optional: true }) })),
    combines: [{ id: VOTE, method: 'vote', tensor: 'label', output: 'label' }],
    edges: hasTail ? [...edges, { from: VOTE, to: TAIL }] : edges,
    outputs: [{ from: hasTail ? TAIL : VOTE }],
  };
  return { spec, members, optional, conditional, quorums, carrier: quorumChoices(spec)[0]?.carrier };
}

/** A plan that leaves a member which every request visits. */
function randomPlan({ spec, members, optional, conditional, quorums, carrier }: Ensemble, rng: Rng): Plan {
  const keep = Math.floor(rng.next() * (conditional ?? members.length));
  const isLeft = (member: number) => member === keep || !optional.has(member) || rng.next() < 0.5;
  const left = new Set([...members.keys()].filter(isLeft));
  const omitted = new Set(members.flatMap((stages, member) => (left.has(member) ? [] : stages)));
  const choosesThreshold = conditional !== undefined && left.has(conditional) && spec.edges.some(hasThresholdChoice);
  const entries = spec.stages.map(({ id }): [StageId, readonly StagePlan[]] => [
    id,
    [
      {
        variantId: variantId('v'),
        resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
        maxBatchSize: oneOf(rng, [1, 4]),
        maxBatchWaitMs: 0,
        replicas: omitted.has(id) ? 0 : 1 + Math.floor(rng.next() * 2),
        trafficFraction: 1,
        ...(id === HEAD && choosesThreshold && { threshold: oneOf(rng, THRESHOLDS) }),
        ...(id === carrier && !omitted.has(id) && { quorum: oneOf(rng, quorums) }),
      },
    ],
  ]);
  const predicted = { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
  return { stages: Object.fromEntries(entries), predicted };
}

const hasThresholdChoice = ({ when }: EdgeSpec): boolean => (when?.thresholds?.length ?? 0) > 1;

/** Promise of a plan in force. */
function promiseOf({ members, quorums, carrier, spec, conditional }: Ensemble, { stages }: Plan): Commitment {
  const left = [...members.keys()].filter((member) => members[member]?.every((id) => stages[id]?.[0]?.replicas !== 0));
  const planned = carrier === undefined ? undefined : stages[carrier]?.[0];
  const hasChoice = conditional !== undefined && left.includes(conditional) && spec.edges.some(hasThresholdChoice);
  return {
    members: left,
    quorum: planned?.replicas === 0 ? quorums[0] : (planned?.quorum ?? quorums[0]),
    threshold: hasChoice ? stages[HEAD]?.[0]?.threshold : undefined,
  };
}

/** Promise to a request that enters now, by the policies that were set. */
class Contract {
  readonly #ensemble: Ensemble;
  readonly #omitted = new Set<StageId>();
  #members: readonly number[];
  #quorum: number | undefined;
  #threshold: number | undefined;

  constructor(ensemble: Ensemble) {
    this.#ensemble = ensemble;
    this.#members = [...ensemble.members.keys()];
    this.#quorum = ensemble.quorums[0];
    this.#threshold = ensemble.spec.edges.find(({ when }) => when !== undefined)?.when?.thresholds?.[0];
  }

  note(id: StageId, { isOmitted = false, quorum, threshold }: BatchPolicy): void {
    const { members, conditional } = this.#ensemble;
    if (isOmitted) this.#omitted.add(id);
    else this.#omitted.delete(id);
    if (quorum !== undefined) this.#quorum = quorum;
    if (threshold !== undefined) this.#threshold = threshold;
    const left = [...members.keys()].filter((member) => members[member]?.every((stage) => !this.#omitted.has(stage)));
    if (left.some((member) => member !== conditional)) this.#members = left;
  }

  get promise(): Commitment {
    const { members, quorums, carrier } = this.#ensemble;
    const hasCarrier = this.#members.some((member) => members[member]?.includes(carrier as StageId));
    return {
      members: this.#members,
      quorum: hasCarrier ? this.#quorum : quorums[0],
      threshold: this.#threshold,
    };
  }
}

class WatchedScheduler extends PipelineScheduler<number, undefined, AppError> {
  onPolicy: (stage: number, policy: BatchPolicy) => void = () => {};

  override setPolicy(stage: number, policy: BatchPolicy, nowMs: number): void {
    super.setPolicy(stage, policy, nowMs);
    this.onPolicy(stage, policy);
  }
}

type Request = RequestState<number, undefined>;

/** A payload is the number of its request, and one bit per member that it passed. */
const MASKS = 2 ** 8;
const [WAKE, ARRIVAL, SWITCH] = [-1, -2, -3];

class Run implements ServingEffects<number, undefined, AppError>, PayloadAlgebra<number, undefined> {
  readonly violations: string[] = [];
  readonly counts = { completed: 0, dropped: 0, failed: 0, partial: 0, crossing: 0, failedChanges: 0 };
  readonly #ensemble: Ensemble;
  readonly #plans: readonly Plan[];
  readonly #isReliable: boolean;
  readonly #rng: Rng;
  readonly #graph: ServingGraph;
  readonly #events = new EventHeap();
  readonly #scheduler: WatchedScheduler;
  readonly #fleet: SimulatedFleet;
  readonly #contract: Contract;
  readonly #gapMs: number;
  readonly #commitments: Commitment[] = [];
  readonly #scores: number[] = [];
  readonly #ends: number[] = [];
  #plan: Plan;
  /** True once the changes to `#plan` are applied. */
  #isApplied = true;
  #switches = 0;
  #nowMs = 0;

  constructor(seed: number, isReliable: boolean) {
    const rng = new SeededRng(seed).fork('plan switches');
    const ensemble = randomEnsemble(rng);
    this.#rng = rng;
    this.#isReliable = isReliable;
    this.#gapMs = oneOf(rng, [15, 40, 300]);
    this.#plans = Array.from({ length: 8 }, () => randomPlan(ensemble, rng));
    this.#plan = this.#plans[0] as Plan;
    this.#ensemble = { ...ensemble, spec: { ...ensemble.spec, ...this.#bounds(ensemble.spec) } };
    const { spec } = this.#ensemble;
    this.#graph = servingGraph(spec);
    this.#contract = new Contract(this.#ensemble);
    const limits = {
      hostCores: Number.POSITIVE_INFINITY,
      maxQueueLength: isReliable ? Number.POSITIVE_INFINITY : spec.admission.maxQueueLength,
      dropLate: !isReliable,
      watchReplicas: !isReliable,
    };
    this.#scheduler = new WatchedScheduler(this.#graph, limits, this, this);
    this.#scheduler.onPolicy = (stage, policy) => this.#contract.note(this.#graph.stages[stage]?.id as StageId, policy);
    const curves = requireCurves(spec, []);
    const startMs = oneOf(rng, [5, 60, 400]);
    this.#fleet = new SimulatedFleet({
      spec,
      curves,
      expectedCurves: curves,
      graph: this.#graph,
      scheduler: this.#scheduler,
      loadMs: () => startMs,
      faults: isReliable ? undefined : faultsFor(rng),
      loadLasts: () => this.#scores.length < REQUESTS,
      schedule: (atMs, event, rank) => this.#events.push(atMs, event, rank),
    });
  }

  /** No budget, or one that is just enough for the largest plan. */
  #bounds(spec: PipelineSpec): Pick<PipelineSpec, 'budget' | 'control'> {
    const most = Math.max(...this.#plans.map(({ stages }) => coresOf(Object.values(stages).flat())));
    const surge = oneOf(this.#rng, [undefined, 0, 2]);
    return {
      budget: this.#rng.next() < 0.5 ? {} : { cpuCores: most },
      control: { ...spec.control, ...(surge !== undefined && { surgeCpuCores: surge }) },
    };
  }

  run(): SwitchedRun {
    this.#fleet.begin(this.#plan, 0);
    this.#events.push(1, ARRIVAL, eventRank.arrival);
    this.#events.push(20, SWITCH, eventRank.tick);
    this.#runEvents();
    this.#scheduler.beginDraining();
    this.#settle();
    this.#runEvents();
    this.#judgeEnd();
    return { violations: this.violations, ...this.counts };
  }

  #runEvents(): void {
    while (this.#events.size > 0) {
      this.#nowMs = this.#events.nextAtMs;
      const event = this.#events.pop();
      if (event >= 0) this.#endBatch(event);
      else if (event === WAKE) this.#scheduler.advance(this.#nowMs);
      else if (event === ARRIVAL) this.#arrive();
      else if (event === SWITCH) this.#switch();
      else this.#fleet.take(event, this.#nowMs);
      this.#settle();
    }
  }

  #settle(): void {
    if (this.#fleet.unsettled) this.#fleet.settle(this.#nowMs);
  }

  #arrive(): void {
    const { promise } = this.#contract;
    this.#noteChange();
    if (this.#isApplied && this.#runsPlan) this.#compare(promise, promiseOf(this.#ensemble, this.#plan));
    const sequence = this.#scores.push(this.#rng.next()) - 1;
    this.#commitments.push(promise);
    this.#ends.push(0);
    if (this.#scores.length < REQUESTS)
      this.#events.push(this.#nowMs + drawExponential(this.#rng) * this.#gapMs, ARRIVAL, eventRank.arrival);
    const deadlineAtMs = this.#nowMs + this.#ensemble.spec.slo.latencyMs;
    this.#scheduler.arrive({ context: undefined, arrivedAtMs: this.#nowMs, deadlineAtMs }, sequence * MASKS);
  }

  #noteChange(): void {
    const last = this.#fleet.takeLastChange();
    if (last === undefined) return;
    this.#isApplied = last.kind === 'applied';
    if (last.kind === 'failed') this.counts.failedChanges += 1;
  }

  /** False while a preempted change goes on. */
  get #runsPlan(): boolean {
    const { stages } = this.#fleet.runningPlan();
    return this.#ensemble.spec.stages.every(({ id }) => {
      const [running, planned] = [stages[id], this.#plan.stages[id]?.[0]];
      if (planned?.replicas === 0) return running?.omitted === true;
      const isSame = running?.threshold === planned?.threshold && running?.quorum === planned?.quorum;
      return isSame && running?.omitted !== true;
    });
  }

  /** The policies promise what the plan does. */
  #compare(promise: Commitment, planned: Commitment): void {
    const same =
      promise.members.join() === planned.members.join() &&
      promise.quorum === planned.quorum &&
      (planned.threshold === undefined || promise.threshold === planned.threshold);
    if (!same) this.#violate(`a plan of ${textOf(planned)} promises ${textOf(promise)}`);
  }

  #switch(): void {
    if (this.#scores.length >= REQUESTS) return;
    this.#events.push(this.#nowMs + drawExponential(this.#rng) * 8 * this.#gapMs, SWITCH, eventRank.tick);
    this.#plan = this.#plans[++this.#switches % this.#plans.length] as Plan;
    const { spec } = this.#ensemble;
    const diff = this.#fleet.changing ? diffUnderWay : diffPlans;
    const changes = diff(this.#fleet.runningPlan(), this.#plan, spec);
    this.#isApplied = changes.length === 0;
    this.#fleet.apply(changes, this.#nowMs);
  }

  #endBatch(index: number): void {
    const replica = this.#fleet.answering(index, this.#nowMs);
    if (replica === undefined) return;
    if (!this.#isReliable && this.#fleet.fails(index, this.#nowMs)) {
      const failure = stageFailure(this.#graph.stages[replica.stage]?.id as StageId);
      const failures = new Map(replica.batch.map((item) => [item, failure]));
      this.#scheduler.failBatch(replica, failures, 'failed', this.#nowMs);
    }
    const outputs = replica.batch.map(({ payload }) => payload + this.#bitOf(replica.stage));
    this.#scheduler.batchDone(replica, outputs, this.#nowMs);
  }

  /** Bit of the member that ends with a stage; 0 for other stages. */
  #bitOf(stage: number): number {
    const member = this.#ensemble.members.findIndex((stages) => stages.at(-1) === this.#graph.stages[stage]?.id);
    return member < 0 ? 0 : 2 ** member;
  }

  startBatch(replica: SimulatedReplica, nowMs: number): void {
    const { curve, index } = this.#fleet.engineOf(replica);
    const serviceMs = curve.meanMs(replica.batch.length) * (0.5 + this.#rng.next());
    this.#events.push(nowMs + serviceMs, index, eventRank.answer);
  }

  complete(request: Request): void {
    this.counts.completed += 1;
    this.#end(request);
    const { members, quorum, threshold } = this.#commitments[request.sequence] as Commitment;
    const isUnsure = (this.#scores[request.sequence] as number) < (threshold ?? 0);
    const due = members.filter((member) => member !== this.#ensemble.conditional || isUnsure);
    const answered = this.#members(request.outputs[0] ?? 0);
    const missing = request.missing?.length ?? 0;
    if (missing > 0) this.counts.partial += 1;
    const parts = Math.min(quorum ?? Number.POSITIVE_INFINITY, due.length) - missing;
    const isRight = answered.length === parts && answered.every((member) => due.includes(member));
    if (isRight && answered.length > 0) return;
    this.#violate(
      `request ${request.sequence} got [${answered}], but ${parts} of [${due}] were promised (${missing} missing)`,
    );
  }

  drop(request: Request, reason: DropReason): void {
    this.counts.dropped += 1;
    this.#endBadly(request, reason);
  }

  fail(request: Request, { code }: AppError): void {
    this.counts.failed += 1;
    this.#endBadly(request, code);
  }

  #endBadly(request: Request, reason: string): void {
    this.#end(request);
    if (this.#isReliable) this.#violate(`request ${request.sequence} ended as ${reason}, although nothing failed`);
  }

  #end({ sequence }: Request): void {
    this.#ends[sequence] = (this.#ends[sequence] ?? 0) + 1;
    if (textOf(this.#commitments[sequence] as Commitment) !== textOf(this.#contract.promise)) this.counts.crossing += 1;
  }

  #members(payload: number): readonly number[] {
    return [...this.#ensemble.members.keys()].filter((member) => ((payload % MASKS) >> member) % 2 === 1);
  }

  #judgeEnd(): void {
    const odd = this.#ends.findIndex((ends) => ends !== 1);
    if (odd >= 0) this.#violate(`request ${odd} ended ${this.#ends[odd]} times`);
    if (this.#scheduler.inFlight !== 0) this.#violate(`${this.#scheduler.inFlight} requests are in flight at the end`);
    for (const [id, { omitted, replicas }] of Object.entries(this.#fleet.runningPlan().stages))
      if (omitted && replicas.length > 0) this.#violate(`stage ${id} is omitted, but has ${replicas.length} replicas`);
  }

  #violate(what: string): void {
    this.violations.push(`${what} at ${this.#nowMs} ms`);
  }

  wakeAt(atMs: number): void {
    this.#events.push(atMs, WAKE, eventRank.servingAlarm);
  }
  unhealthy(replica: SimulatedReplica, issue: HealthIssue): void {
    this.#fleet.unhealthy(replica, issue, this.#nowMs);
  }
  runsLate(replica: SimulatedReplica, isLate: boolean): void {
    this.#fleet.runsLate(replica, isLate);
  }
  drained(replica: SimulatedReplica): void {
    this.#fleet.drained(replica);
  }
  hungFailure(stage: number): AppError {
    return stageFailure(this.#graph.stages[stage]?.id as StageId);
  }
  quarantineFailure(stage: number): AppError {
    return stageFailure(this.#graph.stages[stage]?.id as StageId);
  }
  inputKey({ payload }: StageItem<number, undefined>): string {
    return String(payload);
  }
  inputQuarantined(): void {}
  tooManyItems(): AppError {
    return stageFailure(HEAD);
  }
  part(_source: number, inputs: number): number {
    return inputs;
  }
  takes({ threshold: first }: ServingEdge, payload: number, _: undefined, __?: unknown, threshold = first): boolean {
    return (this.#scores[Math.floor(payload / MASKS)] as number) < (threshold ?? 0);
  }
  items(): number {
    return 1;
  }
  select(_edge: unknown, payload: number): number {
    return payload;
  }
  fanOut(_edge: unknown, payload: number): readonly number[] {
    return [payload];
  }
  join(_edge: unknown, parts: readonly number[]): number {
    return merged(parts);
  }
  merge(_stage: number, parts: readonly (number | undefined)[]): number {
    return merged(parts);
  }
  share(payload: number): number {
    return payload;
  }
}

function merged(parts: readonly (number | undefined)[]): number {
  const [first = 0, ...others] = parts.filter((part) => part !== undefined);
  return others.reduce((sum, part) => sum + (part % MASKS), first);
}

const textOf = ({ members, quorum, threshold }: Commitment): string => `[${members}] ${quorum} ${threshold}`;

function faultsFor(rng: Rng) {
  const perHour = (meanMs: number) => 3_600_000 / meanMs;
  return randomFaults(
    {
      crashesPerHour: oneOf(rng, [0, perHour(2_000)]),
      hangsPerHour: 0,
      slowdownsPerHour: oneOf(rng, [0, perHour(1_000)]),
      slowMs: 300,
      slowFactor: 4,
      startFailureFraction: oneOf(rng, [0, 0.2]),
      failingSpellsPerHour: oneOf(rng, [0, perHour(1_000)]),
      failingMs: 200,
    },
    rng.fork('faults'),
  );
}

/** Runs one pipeline. Without faults, no request may be dropped or fail. */
export function switchedRun(seed: number, faults: 'no faults' | 'faults'): SwitchedRun {
  return new Run(seed, faults === 'no faults').run();
}
