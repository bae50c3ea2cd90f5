import type { StepInput } from '@equipoise/core/control';
import {
  type DecisionOutcome,
  type DecisionRecord,
  type Forecast,
  type LearnedEdge,
  type Plan,
  variantBehind,
} from '@equipoise/core/model';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { LoopEvent, LoopStep } from '../loop/loop-event.js';
import type { DesiredReplicas } from './desired-replicas.js';

const STEPS: Readonly<Record<LoopStep, true>> = {
  observe: true,
  forecast: true,
  decide: true,
  apply: true,
  store: true,
  accuracy: true,
  agreement: true,
  shadow: true,
};

const OUTCOMES: Readonly<Record<DecisionOutcome['kind'], true>> = { applied: true, 'given-up': true, failed: true };

export class LoopMetrics {
  readonly #decisions: Counter<'kind'>;
  readonly #failures: Counter<'step'>;
  readonly #changes: Counter<'kind'>;
  readonly #outcomes: Counter<'outcome'>;
  readonly #learned: LearnedMetrics;
  readonly #desired: DesiredReplicas;
  #forecast: Forecast | undefined;

  /** `desired` is noted by its owner. */
  constructor(registry: Registry, desired: DesiredReplicas) {
    const registers = [registry];
    this.#desired = desired;
    this.#decisions = new Counter({
      name: 'equipoise_decisions_total',
      help: 'Decisions of the control loop, by kind: apply or hold.',
      labelNames: ['kind'],
      registers,
    });
    this.#failures = new Counter({
      name: 'equipoise_loop_failures_total',
      help: 'Failed steps of the control loop: observe, forecast, decide, apply or store; accuracy if the accuracy in operation is lower than expected. The plan in force continues to serve.',
      labelNames: ['step'],
      registers,
    });
    // Without this 0, Prometheus would miss the first increase.
    for (const step of Object.keys(STEPS)) this.#failures.inc({ step }, 0);
    this.#changes = new Counter({
      name: 'equipoise_plan_changes_total',
      help: 'Changes in the decisions of the control loop, by kind: scale, switch-variant, set-batch, set-resources, set-threshold or set-quorum.',
      labelNames: ['kind'],
      registers,
    });
    this.#outcomes = new Counter({
      name: 'equipoise_decision_outcomes_total',
      help: 'Decisions with finished changes, by outcome: applied, failed, or given-up (ended early by a burst or a rise, by a person or at a stop).',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of Object.keys(OUTCOMES)) this.#outcomes.inc({ outcome }, 0);
    this.#learned = new LearnedMetrics(registry);
    this.#gauges(registry);
  }

  note(event: LoopEvent): void {
    if (event.kind === 'failed') this.#failures.inc({ step: event.step });
    else if (event.kind === 'amended') {
      if (event.outcome !== undefined) this.#outcomes.inc({ outcome: event.outcome.kind });
    } else if (event.kind === 'decided') {
      const { decision } = event.record;
      this.#decisions.inc({ kind: decision.kind });
      this.#forecast = decision.evidence.forecast;
      this.#learned.note(event.record);
      if (decision.kind === 'hold') return;
      for (const { kind } of decision.changes) this.#changes.inc({ kind });
    }
  }

  #gauges(registry: Registry): void {
    const registers = [registry];
    const ofPlan = (name: string, help: string, value: (plan: Plan) => number | undefined) => {
      const planned = () => this.#desired.planInForce;
      new Gauge({
        name,
        help,
        registers,
        collect() {
          const plan = planned();
          this.reset();
          const known = plan && value(plan);
          if (known !== undefined) this.set(known);
          else this.remove();
        },
      });
    };
    ofPlan(
      'equipoise_plan_capacity_rps',
      'Largest load that the plan in force can carry. Unknown and absent after a roll-back by the loop.',
      ({ predicted: { capacityRps } }) => (capacityRps === 0 ? undefined : capacityRps),
    );
    ofPlan(
      'equipoise_plan_accuracy',
      'Predicted accuracy of the plan in force, 0 to 1.',
      ({ predicted }) => predicted.pas,
    );
    ofPlan('equipoise_plan_cpu_cores', 'Cores that the plan in force uses.', ({ predicted }) => predicted.cpuCores);
    ofPlan(
      'equipoise_plan_cost_per_hour',
      'Cost per hour of the plan in force, at the prices of the pipeline file.',
      ({ predicted }) => predicted.costPerHour,
    );
    ofPlan(
      'equipoise_plan_latency_seconds',
      'Predicted latency of the plan in force, at the percentile of the SLO. Unknown and absent after a roll-back by the loop.',
      ({ predicted: { capacityRps, latencyMs } }) => (capacityRps === 0 ? undefined : latencyMs / 1000),
    );
    this.#desiredGauges(registry);
    const forecast = () => this.#forecast;
    new Gauge({
      name: 'equipoise_forecast_rps',
      help: 'Forecast load until the next plan: the mean, and the upper rate that plans must serve.',
      labelNames: ['bound'],
      registers,
      collect() {
        const expected = forecast();
        if (expected === undefined) return;
        this.set({ bound: 'mean' }, expected.meanRps);
        this.set({ bound: 'upper' }, expected.upperRps);
      },
    });
  }

  #desiredGauges(registry: Registry): void {
    const desired = this.#desired;
    const planned = () => Object.entries(desired.planInForce?.stages ?? {});
    new Gauge({
      name: 'equipoise_desired_replicas',
      help: 'Number of replicas in the last plan (in mode advise: in the advised plan). A variant that this plan removes keeps its old number until the plan is in force.',
      labelNames: ['stage', 'variant'],
      registers: [registry],
      collect() {
        this.reset();
        for (const { replicas, ...labels } of desired.all()) this.set(labels, replicas);
      },
    });
    new Gauge({
      name: 'equipoise_max_batch_size',
      help: 'Maximum batch size in the plan in force.',
      labelNames: ['stage', 'variant'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [stage, plans] of planned()) {
          for (const { variantId, maxBatchSize } of plans) this.set({ stage, variant: variantId }, maxBatchSize);
        }
      },
    });
    new Gauge({
      name: 'equipoise_threshold',
      help: 'Threshold of the conditions on the answers of a stage, in the plan in force. Absent if the plan chooses none.',
      labelNames: ['stage'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [stage, [plan]] of planned()) if (plan?.threshold !== undefined) this.set({ stage }, plan.threshold);
      },
    });
    new Gauge({
      name: 'equipoise_quorum',
      help: 'Quorum of the join whose choice a stage carries, in the plan in force. Absent if the plan chooses none.',
      labelNames: ['stage'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [stage, [plan]] of planned()) if (plan?.quorum !== undefined) this.set({ stage }, plan.quorum);
      },
    });
  }
}

/** Metrics of profile corrections, fan-outs and branches, as the last decision used them. */
class LearnedMetrics {
  #edges: readonly LearnedEdge[] = [];
  #corrections: StepInput['corrections'] = [];

  constructor(registry: Registry) {
    this.#correctionGauge(registry);
    this.#edgeGauge(registry, {
      name: 'equipoise_learned_fan_out_items',
      help: 'Measured mean number of items per output of a fan-out. Absent while the value of the pipeline file is in force.',
      kind: 'fan-out',
    });
    this.#edgeGauge(registry, {
      name: 'equipoise_learned_branch_fraction',
      help: 'Measured fraction of the outputs that take a branch, or of the requests that have a part of an optional source (`from`), 0 to 1. Absent while the value of the pipeline file is in force.',
      kind: 'branch',
    });
  }

  /** Decisions without input (manual ones and the first) change no metric. */
  note({ decision, input }: Pick<DecisionRecord, 'decision' | 'input'>): void {
    if (input === undefined) return;
    const { corrections } = input as StepInput;
    this.#corrections = corrections.toSorted((a, b) => a.factor - b.factor);
    this.#edges = decision?.evidence.learnedEdges ?? [];
  }

  #correctionGauge(registry: Registry): void {
    const corrections = () => this.#corrections;
    new Gauge({
      name: 'equipoise_profile_correction_ratio',
      help: 'Largest correction in force for a variant: measured service time divided by profiled service time. Absent if there is no correction.',
      labelNames: ['stage', 'variant'],
      registers: [registry],
      collect() {
        this.reset();
        for (const { stageId, variantId, factor } of corrections())
          this.set({ stage: stageId, variant: variantId }, factor);
      },
    });
  }

  #edgeGauge(registry: Registry, { name, help, kind }: Pick<LearnedEdge, 'kind'> & Record<'name' | 'help', string>) {
    const edges = () => this.#edges.filter((edge) => edge.kind === kind);
    new Gauge({
      name,
      help,
      labelNames: ['from', 'to', 'variant'],
      registers: [registry],
      collect() {
        this.reset();
        for (const { from, to, variantId, upstream, value } of edges())
          this.set(
            { from, to, ...(variantId !== undefined && { variant: variantBehind(variantId, upstream) }) },
            value,
          );
      },
    });
  }
}
