/**
 * Manual actions on a served pipeline: change the mode, pin stages, apply plans, roll back. No manual plan overlaps a tick.
 * Each action is logged; mode and pins survive a restart. A manual plan turns `auto` into `advise`, because the next
 * tick would replace the plan.
 */
import {
  brokenPins,
  diffPlans,
  diffUnderWay,
  isSamePlan,
  pinsObjection,
  planObjection,
  planOfStages,
  profileObjection,
  runningAsPlan,
  unprofiledPins,
  withVariantResources,
} from '@equipoise/core/control';
import { smoothedRate } from '@equipoise/core/forecast';
import {
  AppError,
  type ControlMode,
  type DecisionRecord,
  type DecisionSummary,
  type ManualAction,
  NO_PREDICTION,
  type Observation,
  type PinsByStage,
  type PipelineSpec,
  type Plan,
  type PlanPrediction,
  type PlanResult,
  type ProfileSet,
  type StagePins,
  type StageSpec,
} from '@equipoise/core/model';
import type { Frontier, PolicyName, ServiceCurves } from '@equipoise/core/plan';
import type { Actuator, DecisionPage, PlanStore } from '@equipoise/core/ports';
import type { ControlLoop } from './control-loop.js';
import type { DecisionLog } from './decision-log.js';
import { invalidFields, pinProblems } from './field-problems.js';
import type { ActiveFault, ActiveFaults, LoopEvent } from './loop-event.js';
import { manualReason } from './manual-reason.js';
import type { PlanAssumptions } from './planning-session.js';

export interface OperatorWishes {
  readonly mode?: ControlMode;
  readonly pins: PinsByStage;
}

export interface PlanQuery extends PlanAssumptions {
  readonly arrivalRps: number;
  readonly policy: PolicyName;
  readonly verify: boolean;
}

/** `current`: use and accuracy of the running plan; undefined during a change. */
export interface FrontierAnswer {
  readonly arrivalRps: number;
  readonly front: Frontier | PlanResult;
  readonly current: Pick<PlanPrediction, 'pas' | 'costPerHour' | 'cpuCores'> | undefined;
}

type Estimate = Pick<PlanPrediction, 'latencyMs' | 'capacityRps'>;

export interface PipelineControlDeps {
  /** The pipeline with its limits on this machine, as plans use it. */
  readonly spec: PipelineSpec;
  readonly specDigest: string;
  readonly setupDigest: string;
  readonly mode: ControlMode;
  readonly pins: PinsByStage;
  readonly lostPins?: readonly string[];
  /** True if a fixed plan is served, which the loop must not change. */
  readonly isFixed: boolean;
  /** True if another router of this machine leads, whose plan is served. Then manual actions are refused. */
  readonly follows: boolean;
  readonly loop: Pick<
    ControlLoop,
    'turn' | 'enact' | 'preempt' | 'preemptPlan' | 'replan' | 'isChanging' | 'endCanary'
  >;
  readonly log: DecisionLog;
  readonly store: Pick<PlanStore, 'keep' | 'goodPlans'>;
  readonly faults: ActiveFaults;
  readonly actuator: Pick<Actuator, 'runningPlan'>;
  readonly curves: Pick<ServiceCurves, 'curve'>;
  readonly profiles: ProfileSet;
  readonly epochNowMs: () => number;
  readonly look: () => Observation;
  readonly plan: (query: PlanQuery) => Promise<PlanResult>;
  readonly frontier: (arrivalRps: number, assuming: PlanAssumptions) => Promise<Frontier | PlanResult>;
  /** Predicts stages at a load; undefined if no prediction is available in time. */
  readonly estimate: (stages: Plan['stages'], arrivalRps: number) => Promise<Estimate | undefined>;
  readonly report: (event: LoopEvent) => void;
}

export type ApplyFacts = Pick<ManualAction, 'reason' | 'canary'>;

export interface ControlStatus {
  readonly mode: ControlMode;
  /** True also at a router that follows. */
  readonly fixed: boolean;
  /** Present if another router of this machine leads, whose plan is served. */
  readonly follows?: true;
  readonly pins: PinsByStage;
  /** Reasons why earlier pins were dropped. */
  readonly lostPins?: readonly string[];
  readonly faults: readonly ActiveFault[];
  readonly specDigest: string;
}

/** Number of newest good plans among which a roll-back searches. */
const LOOKED_BACK = 20;
/** Number of these that are checked at the current load. */
const MOST_CHECKED = 5;
const MOST_QUERIES = 4;
const FOLLOWS =
  'another router of this machine leads, and this one has its plan; ask the admin port of the lead (fixed: false)';
/** Without arrivals, a frontier is made for this rate. */
const LEAST_RPS = 1;

export class PipelineControl {
  readonly #deps: PipelineControlDeps;
  #mode: ControlMode;
  #pins: PinsByStage;
  #lostPins: readonly string[];
  /** The manual change that is running or waits for its turn. */
  #changing: ManualAction | undefined;
  /** True until the manual change that turned `auto` into `advise` is in force. If it fails, `auto` returns. */
  #returnsToAuto = false;
  #isRollingBack = false;
  #queries = 0;

  constructor(deps: PipelineControlDeps) {
    this.#deps = deps;
    this.#mode = deps.mode;
    this.#pins = deps.pins;
    this.#lostPins = deps.lostPins ?? [];
  }

  get mode(): ControlMode {
    return this.#mode;
  }

  get pins(): PinsByStage {
    return this.#pins;
  }

  get status(): ControlStatus {
    const { isFixed, follows, faults, specDigest } = this.#deps;
    const lost = this.#lostPins.length > 0 && { lostPins: this.#lostPins };
    const plan = { fixed: isFixed || follows, ...(follows && { follows: true as const }) };
    return { mode: this.#mode, ...plan, pins: this.#pins, ...lost, faults: faults.all, specDigest };
  }

  /** Settings of a router that becomes the lead. */
  takeOver({ mode, pins, lostPins = [] }: Pick<PipelineControlDeps, 'mode' | 'pins' | 'lostPins'>): void {
    this.#mode = mode;
    this.#pins = pins;
    this.#lostPins = lostPins;
  }

  /** Newest first. */
  decisions(page: DecisionPage): Promise<readonly DecisionRecord[]> {
    return this.#deps.log.page(page);
  }

  /** Newest first. */
  decisionSummaries(page: DecisionPage): Promise<readonly DecisionSummary[]> {
    return this.#deps.log.summaries(page);
  }

  /** Rejects with AppError NOT_FOUND. */
  async decision(id: number): Promise<DecisionRecord> {
    const found = await this.#deps.log.entry(id);
    if (found === undefined) throw new AppError('NOT_FOUND', `There is no decision ${id}, or it is no longer kept.`);
    return found;
  }

  /** Plan for an assumed rate, and its changes. Applies nothing. */
  async whatIf(query: PlanQuery): Promise<{ readonly result: PlanResult; readonly changes: readonly object[] }> {
    for (const [id, pins] of Object.entries(query.pins ?? {})) this.#checkStagePins(id, pins, `pins.${id}`);
    const { plan, actuator, spec } = this.#deps;
    const result = await this.#asking(() => plan({ ...query, pins: { ...this.#pins, ...query.pins } }));
    const wanted = result.kind === 'feasible' ? result.plan : result.bestEffort;
    const changes = wanted === undefined ? [] : diffPlans(actuator.runningPlan(), wanted, spec);
    return { result, changes };
  }

  /** Frontier with the pins of now, at a rate or at the rate that a plan would be made for now. */
  async frontier(askedRps?: number): Promise<FrontierAnswer> {
    const { frontier, actuator, spec, look } = this.#deps;
    const arrivalRps = askedRps ?? Math.max(LEAST_RPS, smoothedRate(look().load).upperRps);
    const front = await this.#asking(() => frontier(arrivalRps, { pins: this.#pins }));
    return { arrivalRps, front, current: runningAsPlan(spec, actuator.runningPlan())?.predicted };
  }

  /** Bounds the questions that wait for the planner. */
  async #asking<Result>(ask: () => Promise<Result>): Promise<Result> {
    if (this.#queries >= MOST_QUERIES) throw conflict(`${MOST_QUERIES} questions already wait for the planner`);
    this.#queries += 1;
    try {
      return await ask();
    } finally {
      this.#queries -= 1;
    }
  }

  /** Profiles and the curves that plans use. */
  get profiles(): Pick<PipelineControlDeps, 'profiles' | 'curves'> {
    const { profiles, curves } = this.#deps;
    return { profiles, curves };
  }

  /** Resolves when manual settings are stored and logged, or storing has failed. */
  written(): Promise<void> {
    return this.#deps.log.settled();
  }

  /** Stops the loop's plans and changes until `resume`; ends its canary. */
  pause(reason?: string): DecisionRecord {
    this.#checkLeads();
    this.#deps.loop.preemptPlan();
    return this.#setMode('off', { action: 'pause', ...because(reason) });
  }

  resume(reason?: string): DecisionRecord {
    this.#checkLeads();
    if (this.#deps.isFixed) throw conflict('a fixed plan is served; start without --fixed and --policy to adapt it');
    return this.#setMode('auto', { action: 'resume', ...because(reason) });
  }

  advise(reason?: string): DecisionRecord {
    this.#checkLeads();
    if (this.#deps.isFixed) throw conflict('a fixed plan is served; start without --fixed and --policy to adapt it');
    return this.#setMode('advise', { action: 'advise', ...because(reason) });
  }

  /**
   * Replaces a stage's manual pins; the loop plans with them at once. A pin to another variant ends the stage's canary,
   * and each pin ends a canary of the loop, unless that tries the pinned variant.
   */
  pin(stageId: string, pins: StagePins, reason?: string): DecisionRecord {
    this.#checkLeads();
    const stage = this.#checkStagePins(stageId, pins);
    const { id } = stage;
    const all: PinsByStage = { ...this.#pins, [id]: pins };
    const objection = pinsObjection(this.#deps.spec, all);
    if (objection !== undefined)
      throw invalidFields('No plan satisfies these pins', [{ path: '', message: objection }]);
    const unknown = unprofiledPins(stage, pins, this.#deps.curves);
    if (unknown !== undefined) throw invalidFields('This cannot be pinned', [{ path: '', message: unknown }]);
    this.#setPins(all);
    const { variantId } = pins;
    const { loop, actuator } = this.#deps;
    if (variantId !== undefined) loop.endCanary({ evenByHand: true, pinned: { stageId: id, variantId } });
    const { canary } = actuator.runningPlan().stages[id] ?? {};
    // Otherwise the pin would wait for the verdict.
    if (canary === undefined || canary.variantId !== variantId) loop.endCanary({ evenByHand: false });
    return this.#asked({ action: 'pin', pins: this.#pins, ...because(reason) });
  }

  /** Drops earlier pins because no plan satisfies them. The store keeps them until the next action. */
  losePins(why: string): void {
    this.#pins = {};
    this.#lostPins = [...this.#lostPins, why];
  }

  #setPins(pins: PinsByStage): void {
    this.#pins = pins;
    this.#lostPins = [];
    // A plan being made ignores these pins.
    this.#deps.loop.preemptPlan();
    this.#deps.loop.replan();
  }

  /** Unpins one stage, or all if none is named. Pins of the pipeline file stay. */
  unpin(stageId?: string, reason?: string): DecisionRecord {
    this.#checkLeads();
    const kept = stageId === undefined ? [] : Object.entries(this.#pins).filter(([id]) => id !== stageId);
    if (stageId !== undefined) this.#stage(stageId);
    this.#setPins(Object.fromEntries(kept) as PinsByStage);
    this.#deps.loop.endCanary({ evenByHand: false });
    return this.#asked({ action: 'unpin', pins: this.#pins, ...because(reason) });
  }

  /**
   * Puts the plan of a decision in force, without a canary if `facts.canary` is false. Rejects with AppError CONFLICT
   * if the plan does not fit this pipeline, or with the error of a failed change.
   */
  async applyDecision(decisionId: number, facts: ApplyFacts = {}): Promise<DecisionRecord> {
    const { decision, setupDigest } = await this.decision(decisionId);
    if (decision?.kind !== 'apply') throw conflict(`decision ${decisionId} changes nothing`);
    const { plan } = decision;
    return this.#enact({ action: 'apply', decisionId, ...facts }, () => {
      if (setupDigest === this.#deps.setupDigest) return plan;
      throw conflict(`decision ${decisionId} was made for another pipeline file, profile or machine`);
    });
  }

  /**
   * Puts a plan in force. Rejects with AppError INVALID_FIELDS if the plan does not match this pipeline. Memory and
   * GPUs come from the variants.
   */
  async applyStages(asked: Plan['stages'], facts: ApplyFacts = {}): Promise<DecisionRecord> {
    const { estimate, look } = this.#deps;
    const planFor = (spec: PipelineSpec): Plan => {
      const stages = withVariantResources(spec, asked);
      const objection = this.#objection({ stages, predicted: NO_PREDICTION });
      if (objection !== undefined)
        throw invalidFields('This plan cannot be applied', [{ path: 'stages', message: objection }]);
      return planOfStages(spec, stages);
    };
    const { stages } = planFor(this.#deps.spec);
    const predicted = await estimate(stages, smoothedRate(look().load).upperRps);
    return this.#enact({ action: 'apply', ...facts }, (spec) => {
      const plan = planFor(spec);
      return { ...plan, predicted: { ...plan.predicted, ...predicted } };
    });
  }

  /**
   * Restores the newest good plan of this spec that differs from the running plan and carries the current load (or has
   * no prediction); if none does, the newest that differs. During a change or canary, restores the newest at once.
   */
  async rollBack(reason?: string): Promise<DecisionRecord> {
    this.#checkLeads();
    if (this.#isRollingBack) throw conflict('a change by hand is under way');
    this.#isRollingBack = true;
    try {
      const { spec, specDigest, store, look, estimate } = this.#deps;
      const kept = await store.goodPlans(spec.name, LOOKED_BACK);
      const good = kept.filter((each) => each.specDigest === specDigest).map(({ plan }) => plan);
      const { meanRps, upperRps: atRps } = smoothedRate(look().load);
      const predictions = new Map<Plan, Estimate | undefined>();
      const predict = async (plan: Plan) => predictions.set(plan, await estimate(plan.stages, atRps));
      if (this.#settledPlan() !== undefined) await Promise.all(this.#plansBefore(good).map(predict));
      // Meanwhile a change may have begun or ended.
      const plans = this.#plansBefore(good);
      const isAble = (plan: Plan) => (predictions.get(plan)?.capacityRps ?? Number.POSITIVE_INFINITY) >= meanRps;
      const skipped = Math.max(0, plans.findIndex(isAble));
      const plan = plans[skipped];
      if (plan === undefined) throw conflict('there is no earlier good plan that differs from the running plan');
      const warning = rollBackWarning({ skipped, atRps, predicted: predictions.get(plan) }, spec.slo);
      return await this.#enact({ action: 'roll-back', ...because(reason), ...(warning && { warning }) }, () => plan);
    } finally {
      this.#isRollingBack = false;
    }
  }

  /** Different plans that a roll-back may restore, newest first. During a change, only the one before it. */
  #plansBefore(good: readonly Plan[]): readonly Plan[] {
    const running = this.#settledPlan();
    if (running === undefined) return good.slice(0, 1);
    const isFirst = ({ stages }: Plan, index: number) =>
      good.findIndex((each) => isSamePlan(each.stages, stages)) === index;
    const different = good.filter(isFirst).filter(({ stages }) => !isSamePlan(stages, running.stages));
    return different.slice(0, MOST_CHECKED);
  }

  /** Undefined during a change: the replicas match neither the old plan nor the new one. */
  #settledPlan(): Plan | undefined {
    const { spec, loop, actuator } = this.#deps;
    const running = actuator.runningPlan();
    const hasCanary = Object.values(running.stages).some(({ canary }) => canary !== undefined);
    const isChanging = this.#changing !== undefined || loop.isChanging || hasCanary;
    return isChanging ? undefined : runningAsPlan(spec, running);
  }

  #checkStagePins(stageId: string, pins: StagePins, path = ''): StageSpec {
    const stage = this.#stage(stageId);
    const problems = pinProblems({ spec: this.#deps.spec, stage }, pins, path);
    if (problems.length > 0) throw invalidFields('This cannot be pinned', problems);
    return stage;
  }

  #stage(stageId: string): StageSpec {
    const { stages } = this.#deps.spec;
    const stage = stages.find(({ id }) => id === stageId);
    if (stage !== undefined) return stage;
    throw new AppError(
      'NOT_FOUND',
      `There is no stage ${stageId}; there are ${stages.map(({ id }) => id).join(', ')}.`,
    );
  }

  #checkLeads(): void {
    if (this.#deps.follows) throw conflict(FOLLOWS);
  }

  #setMode(mode: ControlMode, action: ManualAction): DecisionRecord {
    this.#mode = mode;
    this.#returnsToAuto = false;
    if (mode !== 'auto') this.#deps.loop.endCanary({ evenByHand: false });
    return this.#asked(action);
  }

  #asked(manual: ManualAction): DecisionRecord {
    const { log, look, epochNowMs, setupDigest, report } = this.#deps;
    this.#keep();
    const facts = { atEpochMs: epochNowMs(), trigger: 'manual' as const, mode: this.#mode, setupDigest, manual };
    const { record } = log.append({ ...facts, observation: look() });
    report({ kind: 'manual', record, mode: this.#mode });
    return record;
  }

  /**
   * Saves the manual settings. A server with a fixed plan saves none: stored settings belong to the adapting server.
   */
  #keep(): void {
    const { store, spec, faults, isFixed } = this.#deps;
    if (isFixed) return;
    const wishes: OperatorWishes = { mode: this.#returnsToAuto ? 'auto' : this.#mode, pins: this.#pins };
    void faults.attempt('store', () => store.keep(spec.name, 'operator', wishes));
  }

  #objection(plan: Plan): string | undefined {
    const { spec, curves } = this.#deps;
    return planObjection(spec, plan) ?? profileObjection(plan, curves);
  }

  /**
   * Puts a plan in force in its own turn. Checks the plan again in that turn: the pipeline may have been reloaded. A
   * roll-back replaces a manual `apply`.
   */
  async #enact(manual: ManualAction, planFor: (spec: PipelineSpec) => Plan): Promise<DecisionRecord> {
    this.#checkLeads();
    const { loop } = this.#deps;
    const takesOver = this.#changing !== undefined;
    if (manual.action !== 'roll-back' && (takesOver || this.#isRollingBack))
      throw conflict('a change by hand is under way');
    this.#fitting(planFor);
    this.#changing = manual;
    try {
      if (this.#mode === 'auto') {
        this.#mode = 'advise';
        this.#returnsToAuto = true;
      }
      const underWay = loop.preempt({ evenByHand: takesOver });
      const record = await loop.turn(async () => {
        if (this.#changing !== manual) throw conflict('a roll-back by hand replaced it');
        return this.#putInForce(manual, this.#fitting(planFor), underWay);
      });
      if (record.outcome?.kind === 'applied') this.#endTakeOver('advise');
      return record;
    } finally {
      if (this.#changing === manual) {
        this.#changing = undefined;
        this.#endTakeOver('auto');
      }
    }
  }

  /** Has no effect if the mode was set meanwhile. */
  #endTakeOver(mode: ControlMode): void {
    if (!this.#returnsToAuto) return;
    this.#returnsToAuto = false;
    this.#mode = mode;
    this.#keep();
  }

  /** Throws AppError CONFLICT if the plan does not fit. */
  #fitting(planFor: (spec: PipelineSpec) => Plan): Plan {
    const plan = planFor(this.#deps.spec);
    const objection = this.#objection(plan);
    if (objection !== undefined) throw conflict(`this plan no longer fits the pipeline: ${objection}`);
    return plan;
  }

  /** `underWay`: stages may still be changing to another plan. */
  async #putInForce(manual: ManualAction, plan: Plan, underWay: boolean): Promise<DecisionRecord> {
    const { spec, loop, look } = this.#deps;
    const observation = look();
    const diff = underWay ? diffUnderWay : diffPlans;
    const changes = diff(observation.runningPlan, plan, spec);
    const evidence = { forecast: smoothedRate(observation.load) };
    const decision = {
      kind: 'apply' as const,
      plan,
      changes,
      reason: manualReason(manual, plan, brokenPins(this.#pins, plan)),
      evidence,
    };
    const { record } = await loop.enact(observation, decision, { trigger: 'manual', manual });
    return record;
  }
}

interface RollBackTarget {
  /** Newer good plans that do not carry the load. */
  readonly skipped: number;
  readonly atRps: number;
  readonly predicted: Estimate | undefined;
}

function rollBackWarning({ skipped, atRps, predicted }: RollBackTarget, slo: PipelineSpec['slo']): string | undefined {
  const texts = predicted === undefined ? ['this plan was not checked at the current load'] : [];
  if (skipped > 0) texts.push(`newer good plans passed over, because they do not carry the current load: ${skipped}`);
  if (predicted !== undefined && predicted.latencyMs > slo.latencyMs) {
    const { latencyMs, capacityRps } = predicted;
    const latency = Number.isFinite(latencyMs) ? `p${slo.percentile} ${latencyMs.toFixed(0)} ms, ` : '';
    const most = `${latency}at most ${capacityRps.toFixed(1)} rps`;
    texts.push(`at ${atRps.toFixed(1)} rps this plan is predicted to miss the SLO (${most})`);
  }
  return texts.length === 0 ? undefined : texts.join('; ');
}

const because = (reason: string | undefined) => (reason === undefined ? {} : { reason });

const conflict = (why: string): AppError => new AppError('CONFLICT', `This cannot be done now: ${why}.`);
