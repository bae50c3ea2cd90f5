/** Runs a scenario on the data plane: real runner, actuator and drop rules, keyed replicas, manual clock. */
import { EmbeddedActuator } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import { servingGraph } from '@equipoise/core/graph';
import { type Change, type Plan, SeededRng, type TensorMap } from '@equipoise/core/model';
import { eventRank } from '@equipoise/core/serve';
import { ItemChances, ServingPolicies } from '@equipoise/core/simulate';
import { type PipelineOutcome, PipelineRunner } from '@equipoise/runtime';
import { ManualClock } from '@equipoise/testkit';
import { KeyedLauncher, tensorsOfKey } from './keyed-replicas.test-support.js';
import { believedAt, type Scenario } from './scenario.test-support.js';
import { type Trace, TraceWriter } from './trace.test-support.js';

export async function servedTrace(scenario: Scenario): Promise<Trace> {
  const served = new ServedScenario(scenario);
  await served.begin();
  return served.run();
}

class ServedScenario {
  readonly #scenario: Scenario;
  readonly #clock = new ManualClock();
  readonly #trace = new TraceWriter();
  readonly #runner: PipelineRunner;
  readonly #actuator: EmbeddedActuator;
  readonly #policies: ServingPolicies;
  readonly #chances: ItemChances;
  #hasBegun = false;
  #changing = false;
  #ticks = 0;

  constructor(scenario: Scenario) {
    const { spec, hostCores } = scenario;
    const clock = this.#clock;
    const rng = new SeededRng(scenario.seed);
    this.#scenario = scenario;
    this.#chances = new ItemChances(spec, rng);
    this.#runner = new PipelineRunner({
      spec,
      hostCores,
      clock: clock.ranked(eventRank.servingAlarm),
      onDefect: (error) => {
        throw error;
      },
    });
    this.#policies = new ServingPolicies(spec, believedAt(scenario, 0), (id, policy) =>
      this.#runner.setPolicy(id, policy),
    );
    this.#runner.onRequestEnd((end) => {
      this.#trace.end(end.endedAtMs, end.arrivedAtMs, end.kind === 'dropped' ? end.reason : end.kind);
    });
    const launcher = new KeyedLauncher({
      scenario,
      stages: servingGraph(spec).stages,
      chances: this.#chances,
      serviceRng: rng.fork('service'),
      trace: this.#trace,
      answers: clock.ranked(eventRank.answer),
      starts: clock.ranked(eventRank.start),
      runningPlan: () => this.#actuator.runningPlan(),
      hasBegun: () => this.#hasBegun,
    });
    this.#actuator = new EmbeddedActuator(spec, {
      pool: this.#runner,
      launcher,
      clock: clock.ranked(eventRank.fleetAlarm),
      adopt: (id, to) => this.#policies.adopt(id, to),
      openCanary: (id, to) => this.#runner.openCanary(id, this.#policies.canaryPolicy(id, to)),
    });
  }

  /** Applies the first plan at instant 0. */
  async begin(): Promise<void> {
    const changes = this.#changesTo(this.#scenario.plan);
    const done = Promise.all(changes.map((change) => this.#actuator.apply(change)));
    await this.#clock.advanceTo(0);
    await done;
    this.#hasBegun = true;
    this.#trace.runs(this.#actuator.runningPlan(), 0);
  }

  async run(): Promise<Trace> {
    this.#arrange();
    for (let atMs = this.#clock.nextAlarmAtMs; atMs < Number.POSITIVE_INFINITY; atMs = this.#clock.nextAlarmAtMs) {
      await this.#clock.advanceTo(atMs);
      this.#trace.runs(this.#actuator.runningPlan(), atMs);
    }
    this.#trace.close();
    return this.#trace;
  }

  #changesTo(plan: Plan): readonly Change[] {
    return diffPlans(this.#actuator.runningPlan(), plan, this.#scenario.spec);
  }

  #arrange(): void {
    const { arrivals, tickMs, drainsAtMs } = this.#scenario;
    for (const [sequence, atMs] of arrivals.entries()) {
      this.#clock.ringAt(atMs, () => this.#submit(sequence), eventRank.arrival);
    }
    for (let atMs = tickMs; atMs <= (arrivals.at(-1) ?? 0); atMs += tickMs) {
      this.#clock.ringAt(atMs, () => void this.#tick(), eventRank.tick);
    }
    if (drainsAtMs !== undefined) this.#clock.ringAt(drainsAtMs, () => this.#runner.beginDraining(), eventRank.tick);
  }

  #submit(sequence: number): void {
    const { clients, spec } = this.#scenario;
    const leaves = new AbortController();
    const patienceMs = clients?.patienceMs(sequence) ?? Number.POSITIVE_INFINITY;
    const timeoutMs = clients?.timeoutMs(sequence) ?? spec.slo.latencyMs;
    const inputs = this.#inputsOf(this.#chances.request(sequence));
    const priority = clients?.priority?.(sequence) ?? 0;
    void this.#runner.submit(inputs, { timeoutMs, priority, signal: leaves.signal }).then((outcome) => {
      this.#trace.outcome(sequence, this.#clock.nowMs(), nameOf(outcome));
    });
    if (patienceMs < Number.POSITIVE_INFINITY)
      this.#clock.ringAt(this.#clock.nowMs() + patienceMs, () => leaves.abort(), eventRank.cancellation);
  }

  /** Several sources have one tensor each, with a key of its own. */
  #inputsOf(key: number): TensorMap {
    const { sources } = this.#scenario.spec;
    if (sources.length === 1) return tensorsOfKey(key);
    const parts = sources.flatMap(({ tensors }, source) => {
      const part = this.#chances.part(source, key);
      return part === undefined ? [] : tensors.map(({ name }) => [name, tensorsOfKey(part)['key']]);
    });
    return Object.fromEntries(parts);
  }

  /** Like the control loop: idle during changes; if one fails, skips the rest. */
  async #tick(): Promise<void> {
    if (this.#changing) return;
    this.#trace.failedAtTicks.push(this.#runner.statistics.failedHere);
    const next = this.#scenario.nextPlans[this.#ticks++];
    this.#policies.follow(believedAt(this.#scenario, this.#ticks));
    if (next === undefined) return;
    this.#changing = true;
    try {
      for (const change of this.#changesTo(next)) await this.#actuator.apply(change);
    } catch {
      // The next tick starts from the running plan.
    } finally {
      this.#changing = false;
    }
  }
}

const expectedFailures = new Set(['INVALID_INPUT', 'REPLICA_LOST', 'REQUEST_QUARANTINED', 'STAGE_FAILED']);

function nameOf(outcome: PipelineOutcome): string {
  if (outcome.kind === 'dropped') return outcome.reason;
  if (outcome.kind === 'completed' && outcome.missing !== undefined) return `partial ${outcome.missing.length}`;
  if (outcome.kind === 'failed' && !expectedFailures.has(outcome.failure.code))
    return `failed (${outcome.failure.message})`;
  return outcome.kind;
}
