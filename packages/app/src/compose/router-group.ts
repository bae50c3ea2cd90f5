/**
 * Place of this server among several of one pipeline on one machine. One leads: it adapts its plan to the load of all,
 * and the others apply the same plan. Core divides the budget (`divideCores`). If the lead ends, another router takes
 * its claim on the state file and leads. If the exchange fails, each router keeps its plan and its cores.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { EmbeddedActuator } from '@equipoise/adapter-embedded';
import {
  AppError,
  type LoadObservation,
  type PipelineSpec,
  type Plan,
  routerBoundsProblems,
  specOfRouter,
  usualSplit,
} from '@equipoise/core/model';
import { type CoreGrant, type CoreGrants, divideCores } from '@equipoise/core/serve';
import {
  type ControlLoop,
  type LeadState,
  LiveRouters,
  type LoopEvent,
  ownIdentity,
  type PipelineRunner,
  RouterFiles,
  RouterLoad,
  type RouterState,
  type StateClaim,
  specDigest,
} from '@equipoise/runtime';
import { log, logError } from '../terminal/log.js';
import { coresText } from '../terminal/plan-table.js';
import { servingSpec } from './served-spec.js';

/** Parts of a pipeline that the group drives. */
export interface RoutedPipeline {
  readonly runner: Pick<PipelineRunner, 'statistics' | 'nowMs'>;
  readonly actuator: Pick<EmbeddedActuator, 'runningPlan' | 'limitCores'>;
  readonly loop: Pick<ControlLoop, 'isChanging'>;
  reload(spec: PipelineSpec): Promise<boolean>;
  follow(plan: Plan): Promise<void>;
  setSurge(hasSurge: boolean): void;
  takeLead(how: { readonly begins: boolean }): Promise<void>;
}

export interface RouterGroupOptions {
  /** Number of routers that are started. */
  readonly routers: number;
  /** Pipeline of all routers. */
  readonly spec: PipelineSpec;
  /** Time between two exchanges (ms); default 250. */
  readonly exchangeMs?: number;
  /** Time without a router before the others get its cores; a restart is often faster. Default 3000. */
  readonly goneMs?: number;
  /** Time between two attempts to apply a plan or a share; default 5000. */
  readonly retryMs?: number;
  /** Time in which SIGHUP reaches all routers; default 10 000. */
  readonly reloadMs?: number;
}

/** `claim` is held by a router that leads from its start; `tryClaim` returns undefined if another router leads. */
export interface Entry {
  readonly pipeline: RoutedPipeline;
  readonly leads: boolean;
  readonly tryClaim: () => StateClaim | undefined;
  readonly signal: AbortSignal | undefined;
}

const EXCHANGE_MS = 250;
/** Time for all routers to join, before those that did are all. */
const JOIN_MS = 10_000;
const GONE_MS = 3000;
/** The lead repeats its state, in case its file was removed or damaged. */
const REPEAT_MS = 1000;
const RELOAD_MS = 10_000;
const RETRY_MS = 5000;
const CORES_TOLERANCE = 1e-9;

export class RouterGroup {
  readonly id = `${process.pid}-${randomBytes(4).toString('hex')}`;
  readonly #routers: number;
  readonly #exchangeMs: number;
  readonly #goneMs: number;
  readonly #retryMs: number;
  readonly #reloadMs: number;
  readonly #files: RouterFiles;
  readonly #load = new RouterLoad();
  readonly #startedAtEpochMs = Date.now();
  readonly #identity = ownIdentity();
  readonly #others: LiveRouters;
  #whole: PipelineSpec;
  #digest: string;
  #entry: Entry | undefined;
  #leads = false;
  #enteredAtMs = 0;
  #isSpare = false;
  #hasStarted = false;
  #claim: StateClaim | undefined;
  #stopped = false;
  #exchanging: Promise<void> = Promise.resolve();
  #lastFault = '';
  /** Grant that this router obeys, and the version of the lead's state in which it was read. */
  #grant: Pick<CoreGrant, 'count' | 'shareCores' | 'surge'>;
  #version = 0;
  #reloading: Promise<unknown> | undefined;
  #plan: Plan | undefined;
  #planVersion = 0;
  #applying: Promise<void> | undefined;
  #wantsSurge = false;
  #retryAtMs = 0;
  #reloadAtMs = 0;
  #mayClaimAtMs = 0;
  /** Since when the lead has another pipeline file, and whether this was said. */
  #otherFileSinceMs: number | undefined;
  #hasOtherFile = false;
  // Memory of the lead.
  #grants: CoreGrants = {};
  #leadVersion = 0;
  /** Content of the last state that the lead wrote, and its time. */
  #told = '';
  #toldAtMs = 0;
  #count: number;
  #hasSeenAll = false;
  #ledSinceMs = 0;
  #fewerSinceMs: number | undefined;

  /** Throws WRONG_USAGE if the pipeline cannot be divided. */
  constructor({ routers, spec, ...times }: RouterGroupOptions) {
    checkDivisible(spec, routers);
    this.#routers = routers;
    this.#exchangeMs = times.exchangeMs ?? EXCHANGE_MS;
    this.#goneMs = times.goneMs ?? GONE_MS;
    this.#retryMs = times.retryMs ?? RETRY_MS;
    this.#reloadMs = times.reloadMs ?? RELOAD_MS;
    this.#count = routers;
    this.#whole = spec;
    this.#digest = specDigest(spec);
    this.#files = new RouterFiles(join(spec.baseDir, '.equipoise', `${spec.name}.routers`));
    this.#others = new LiveRouters({ files: this.#files, ownId: this.id });
    this.#grant = { count: 0, shareCores: 0, surge: false };
  }

  /** Pipeline of this router: its share of the budget. Before it has one, an equal share of all routers. */
  get spec(): PipelineSpec {
    const { count, shareCores } = this.#grant;
    return count === 0
      ? this.#specFor(this.#routers, this.#budgetCores / this.#routers)
      : this.#specFor(count, shareCores);
  }

  /** Number of routers among which the load is spread. */
  get count(): number {
    return this.#grant.count === 0 ? this.#routers : this.#grant.count;
  }

  get leads(): boolean {
    return this.#leads;
  }

  #specFor(count: number, cpuCores: number): PipelineSpec {
    const spec = specOfRouter(servingSpec(this.#whole), usualSplit(count));
    return { ...spec, budget: { ...spec.budget, cpuCores } };
  }

  get #budgetCores(): number {
    return servingSpec(this.#whole).budget.cpuCores ?? 0;
  }

  /** Load of the router with the most load. */
  load(own: LoadObservation, nowMs: number): LoadObservation {
    return this.#leads ? this.#load.load(own, { ownId: this.id, count: Math.max(1, this.#grant.count), nowMs }) : own;
  }

  noteLoop(event: LoopEvent): void {
    if (event.kind !== 'in-force') return;
    this.#plan = event.plan;
    if (this.#leads) this.#planVersion += 1;
  }

  /**
   * Joins the others. Resolves with the first plan when this router may start it; without a plan if this router leads
   * and has to plan.
   */
  async enter(entry: Entry): Promise<Plan | undefined> {
    await this.#files.create();
    this.#entry = entry;
    this.#enteredAtMs = performance.now();
    if (entry.leads) await this.#beginToLead();
    else log(`another router leads pipeline ${this.#whole.name}; waiting for its plan and a share of the cores`);
    for (;;) {
      this.#exchanging = this.#exchange();
      await this.#exchanging;
      entry.signal?.throwIfAborted();
      if (this.#grant.count > 0 && this.#reloading === undefined) {
        if (this.#leads) break;
        const lead = await this.#files.lead();
        if (lead?.plan !== undefined && this.#suits(lead, lead.plan)) {
          this.#planVersion = lead.planVersion;
          void this.#exchangeRegularly();
          return lead.plan;
        }
      }
      this.#sayIfSpare();
      await setTimeout(this.#exchangeMs);
    }
    void this.#exchangeRegularly();
    return undefined;
  }

  #sayIfSpare(): void {
    if (this.#isSpare || performance.now() - this.#enteredAtMs < JOIN_MS || this.#grant.count > 0) return;
    this.#isSpare = true;
    log(`${this.#routers} routers serve already, or have not left enough cores; this one waits for a share`);
  }

  /** Call when the first plan serves. */
  started(): void {
    this.#hasStarted = true;
  }

  /** Reloads the pipeline of all routers. Rejects and changes nothing if it cannot be divided. */
  async reload(whole: PipelineSpec): Promise<boolean> {
    checkDivisible(whole, this.#routers);
    const before = this.#whole;
    this.#setWhole(whole);
    try {
      return await this.#reload();
    } catch (error) {
      this.#setWhole(before);
      throw error;
    }
  }

  #setWhole(whole: PipelineSpec): void {
    this.#whole = whole;
    this.#digest = specDigest(whole);
  }

  /** Call when all replicas have ended. */
  async leave(): Promise<void> {
    this.#stopped = true;
    await this.#exchanging.catch(() => undefined);
    this.#claim?.release();
    if (this.#entry === undefined) return;
    await this.#files.tell({ ...this.#state(), hasLeft: true }).catch(() => undefined);
  }

  async #exchangeRegularly(): Promise<void> {
    while (!this.#stopped) {
      await setTimeout(this.#exchangeMs, undefined, { ref: false });
      this.#exchanging = this.#exchange();
      await this.#exchanging;
    }
  }

  /** Never rejects. A fault is logged once. */
  async #exchange(): Promise<void> {
    if (this.#stopped) return;
    try {
      const routers = await this.#liveRouters();
      const lead = this.#leads ? undefined : await this.#files.lead();
      if (this.#leads) await this.#lead(routers);
      else if (lead !== undefined && routers.some(({ id }) => id === lead.leadId)) this.#follow(lead);
      else await this.#claimLead();
      if (!this.#stopped) await this.#files.tell(this.#state());
      this.#lastFault = '';
    } catch (error) {
      const fault = String(error);
      if (fault !== this.#lastFault)
        logError('routers cannot exchange their states; each keeps its plan and cores', error);
      this.#lastFault = fault;
      await this.#files.create().catch(() => undefined);
    }
  }

  /** Other routers that live. */
  async #liveRouters(): Promise<readonly RouterState[]> {
    const { statistics, nowMs } = this.#pipeline.runner;
    this.#load.note(this.id, statistics.total.arrived, nowMs);
    const onNews = ({ id, arrived }: RouterState) => this.#load.note(id, arrived, nowMs);
    const live = await this.#others.look({ removesEnded: this.#leads, onNews });
    this.#load.prune(new Set([this.id, ...live.map(({ id }) => id)]), nowMs);
    return live;
  }

  get #pipeline(): RoutedPipeline {
    const pipeline = this.#entry?.pipeline;
    if (pipeline === undefined) throw new Error('the router has entered');
    return pipeline;
  }

  #state(): RouterState {
    const { actuator, loop, runner } = this.#pipeline;
    const heldCores = heldBy(actuator);
    const limitCores = this.#grant.count === 0 ? heldCores : Math.max(this.#grant.shareCores, actuator.limitCores);
    const { surge } = this.#grant;
    return {
      ...{ id: this.id, process: this.#identity, startedAtEpochMs: this.#startedAtEpochMs, atEpochMs: Date.now() },
      ...{ specDigest: this.#digest, version: this.#version, planVersion: this.#planVersion },
      ...{ limitCores, heldCores, arrived: runner.statistics.total.arrived },
      usesSurge: surge || heldCores > limitCores + CORES_TOLERANCE,
      wantsSurge: this.#leads ? loop.isChanging || !this.#hasStarted : this.#wantsSurge,
    };
  }

  async #beginToLead(): Promise<void> {
    const lead = await this.#files.lead();
    const others = await this.#files.routers();
    this.#leadVersion = Math.max(0, lead?.version ?? 0, ...others.map(({ version }) => version));
    this.#planVersion = Math.max(this.#planVersion, lead?.planVersion ?? 0);
    if (this.#plan !== undefined) this.#planVersion += 1;
    this.#grants = lead?.grants ?? {};
    this.#ledSinceMs = performance.now();
    this.#leads = true;
  }

  async #claimLead(): Promise<void> {
    const nowMs = performance.now();
    const { tryClaim } = this.#entry ?? {};
    const isBusy = this.#applying !== undefined || this.#reloading !== undefined;
    // The claim of a living router blocks for a moment, so it is not asked for at each exchange.
    if (tryClaim === undefined || isBusy || nowMs < this.#mayClaimAtMs) return;
    this.#mayClaimAtMs = nowMs + 1000;
    const isWaiting = this.#plan === undefined;
    if (!isWaiting && !this.#hasStarted) return;
    this.#claim = tryClaim();
    if (this.#claim === undefined) return;
    this.#hasSeenAll = !isWaiting;
    if (!isWaiting) this.#count = Math.max(1, this.#grant.count);
    await this.#beginToLead();
    this.#wantsSurge = false;
    log(`the lead of pipeline ${this.#whole.name} has ended; this router leads now`);
    await this.#pipeline.takeLead({ begins: !isWaiting });
  }

  async #lead(others: readonly RouterState[]): Promise<void> {
    const own = this.#state();
    const sorted = others.toSorted((a, b) => this.#rank(a) - this.#rank(b));
    const count = this.#countFor(1 + others.length);
    const division = { budgetCores: this.#budgetCores, count, leadId: this.id, version: this.#leadVersion + 1 };
    const grants = divideCores(division, [own, ...sorted], this.#grants);
    const content = { grants, planVersion: this.#planVersion, specDigest: this.#digest };
    const news = JSON.stringify(content);
    const hasNews = news !== this.#told;
    if (hasNews || performance.now() - this.#toldAtMs >= REPEAT_MS) {
      const version = hasNews ? division.version : this.#leadVersion;
      await this.#files.tellAsLead({ leadId: this.id, version, ...content, ...(this.#plan && { plan: this.#plan }) });
      this.#leadVersion = version;
      this.#told = news;
      this.#toldAtMs = performance.now();
      this.#grants = grants;
    }
    const grant = grants[this.id];
    if (grant !== undefined) this.#obey(grant, this.#leadVersion);
  }

  /** Routers with a share come first, then those that wait, the oldest first. */
  #rank({ id, startedAtEpochMs }: RouterState): number {
    return startedAtEpochMs + ((this.#grants[id]?.count ?? 0) > 0 ? 0 : 1e15);
  }

  #countFor(live: number): number {
    const nowMs = performance.now();
    this.#hasSeenAll ||= live >= this.#routers || nowMs - this.#ledSinceMs > JOIN_MS;
    const wanted = this.#hasSeenAll ? Math.min(live, this.#routers) : this.#routers;
    const before = this.#count;
    if (wanted >= before) this.#fewerSinceMs = undefined;
    else this.#fewerSinceMs ??= nowMs;
    const areGone = this.#fewerSinceMs !== undefined && nowMs - this.#fewerSinceMs >= this.#goneMs;
    if (wanted > before || areGone) {
      this.#count = wanted;
      this.#fewerSinceMs = undefined;
      log(`routers of this machine: ${wanted} of ${this.#routers}, each with ${coresText(this.#budgetCores / wanted)}`);
    }
    return this.#count;
  }

  #follow(lead: LeadState): void {
    this.#noteFileOf(lead);
    const grant = lead.grants[this.id];
    if (grant === undefined) return;
    this.#obey(grant, lead.version);
    const { plan, planVersion } = lead;
    if (!this.#hasStarted || planVersion === this.#planVersion || plan === undefined || !this.#suits(lead, plan)) {
      if (this.#applying === undefined) this.#wantsSurge = false;
      return;
    }
    if (this.#applying !== undefined || performance.now() < this.#retryAtMs) return;
    this.#wantsSurge = true;
    if (!this.#grant.surge || this.#reloading !== undefined) return;
    this.#applying = this.#apply(plan, planVersion);
  }

  /** Says once that the lead has another pipeline file, whose plans this router does not apply. */
  #noteFileOf(lead: LeadState): void {
    if (lead.specDigest === this.#digest) {
      this.#otherFileSinceMs = undefined;
      this.#hasOtherFile = false;
      return;
    }
    this.#otherFileSinceMs ??= performance.now();
    if (this.#hasOtherFile || performance.now() - this.#otherFileSinceMs < this.#reloadMs) return;
    this.#hasOtherFile = true;
    const effect = this.#hasStarted ? 'keeps its plan' : 'waits';
    log(`the lead has read another pipeline file, so this router ${effect}: send SIGHUP to all, or restart the lead`);
  }

  async #apply(plan: Plan, planVersion: number): Promise<void> {
    try {
      await this.#pipeline.follow(plan);
      this.#planVersion = planVersion;
    } catch (error) {
      this.#retryAtMs = performance.now() + this.#retryMs;
      const delay = `${this.#retryMs / 1000} s`;
      if (!this.#stopped) logError(`the plan of the lead was not applied; next attempt in ${delay}`, error);
    } finally {
      this.#wantsSurge = false;
      this.#applying = undefined;
    }
  }

  /** True if the plan is of the same pipeline file and fits the share. */
  #suits({ specDigest: digest }: LeadState, { stages }: Plan): boolean {
    const cores = Object.values(stages)
      .flat()
      .reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
    return digest === this.#digest && cores <= this.#grant.shareCores + CORES_TOLERANCE;
  }

  /** The surge is left at once, and a share when the pipeline is reloaded. Then the version counts as obeyed. */
  #obey({ count, shareCores, surge }: CoreGrant, version: number): void {
    if (!surge) this.#setSurge(false);
    if (this.#reloading !== undefined) return;
    if (count !== this.#grant.count || shareCores !== this.#grant.shareCores) {
      if (performance.now() >= this.#reloadAtMs)
        this.#reloading = this.#reloadWith({ count, shareCores, surge }, version).finally(() => {
          this.#reloading = undefined;
        });
    } else this.#obeyed(surge, version);
  }

  /** A share that fails is tried again. Meanwhile this router tells that it still has the one before. */
  async #reloadWith({ count, shareCores, surge }: Pick<CoreGrant, 'count' | 'shareCores' | 'surge'>, version: number) {
    const before = this.#grant;
    this.#grant = { ...before, count, shareCores };
    try {
      await this.#reload();
      this.#obeyed(surge, version);
    } catch (error) {
      this.#grant = { ...this.#grant, count: before.count, shareCores: before.shareCores };
      this.#reloadAtMs = performance.now() + this.#retryMs;
      if (!this.#stopped) logError(`${coresText(shareCores)} are no share for this router`, error);
    }
  }

  #obeyed(surge: boolean, version: number): void {
    this.#setSurge(surge);
    this.#version = version;
  }

  #setSurge(surge: boolean): void {
    this.#grant = { ...this.#grant, surge };
    this.#pipeline.setSurge(surge);
  }

  #reload(): Promise<boolean> {
    return this.#pipeline.reload(this.spec);
  }
}

/** Throws WRONG_USAGE without a budget to divide, or if a stage allows no equal number of replicas at each router. */
function checkDivisible(whole: PipelineSpec, routers: number): void {
  const spec = servingSpec(whole);
  if (spec.budget.cpuCores === undefined)
    throw new AppError('WRONG_USAGE', '--routers divides the budget of the pipeline: set spec.budget.cpuCores.');
  const [mismatch] = routerBoundsProblems(spec, routers);
  if (mismatch !== undefined) throw new AppError('WRONG_USAGE', `${mismatch.message}.`);
}
/** Cores of all replicas, also of starting and draining ones. */
export function heldBy(actuator: Pick<RoutedPipeline['actuator'], 'runningPlan'>): number {
  return Object.values(actuator.runningPlan().stages)
    .flatMap(({ replicas }) => replicas)
    .reduce((sum, { resources }) => sum + resources.cpuCores, 0);
}
