/** Answers of the admin API for a browser, without a pipeline: sizes and states that a real one reaches rarely. */
import type { IncidentCard } from '@equipoise/core/diagnose';
import type { Plan, StageId } from '@equipoise/core/model';
import { EventFeed, type RunningAdminServer, startAdminServer } from '@equipoise/runtime';
import type { Page } from 'playwright-core';
import { pageFolder } from '../compose/admin-port.js';

export interface FakePipeline {
  readonly stages: number;
  readonly decisions: number;
  /** Clock of the server minus that of the browser. */
  readonly skewMs: number;
  readonly points: number;
  /** True if the server knows only the routes of the first versions. */
  readonly isOlder: boolean;
  readonly isFixed: boolean;
  /** True if another router leads. */
  readonly follows: boolean;
  /** Names of the served pipelines; the answers for all are the same. */
  readonly names: readonly string[];
}

const USUAL: FakePipeline = {
  ...{ stages: 3, decisions: 30, skewMs: 0, points: 600, isOlder: false },
  ...{ isFixed: false, follows: false, names: ['p'] },
};

/** A server of the page without pipelines. Data of pipelines comes from `FakeApi`. */
export const servePage = (token?: string): Promise<RunningAdminServer> => {
  const more = { ...(token !== undefined && { token }), ...(pageFolder !== undefined && { pageFolder }) };
  const feed = new EventFeed(Date.now);
  return startAdminServer({ pipelines: [], feed, port: 0, version: '0', ...more });
};

const replicas = (stage: string) =>
  (['ready', 'ready', 'starting', 'draining', 'failed'] as const).map((status, at) => ({
    ...{ replicaId: `${stage}-${at}`, variantId: 'large', status },
    resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
  }));

export class FakeApi {
  readonly #fake: FakePipeline;
  readonly #stageIds: readonly string[];
  readonly #startedEpochMs: number;
  /** Names of the pipelines that are served now. */
  names: readonly string[];
  /** Ends of the paths that are answered with 503. */
  failing: readonly string[] = [];
  /** Awaited before an action is answered. */
  actionEnds: Promise<void> = Promise.resolve();
  /** Requests to the API, by path without query. */
  readonly asked = new Map<string, number>();

  constructor(over: Partial<FakePipeline> = {}) {
    this.#fake = { ...USUAL, ...over };
    this.names = this.#fake.names;
    this.#stageIds = Array.from({ length: this.#fake.stages }, (_, at) => `stage-${at + 1}`);
    this.#startedEpochMs = this.#now;
  }

  async answer(page: Page): Promise<void> {
    await page.route('**/admin/**', async (route) => {
      const { pathname, searchParams } = new URL(route.request().url());
      this.asked.set(pathname, (this.asked.get(pathname) ?? 0) + 1);
      if (pathname === '/admin/events') {
        await route.fulfill({ contentType: 'text/event-stream', body: ': events\n\n' });
        return;
      }
      if (this.failing.some((end) => pathname.endsWith(end))) {
        await route.fulfill({ status: 503, json: { error: 'The server is busy.' } });
        return;
      }
      if (pathname.endsWith('/roll-back')) {
        await this.actionEnds;
        await route.fulfill({ json: { result: 'rolled back to decision 7' } });
        return;
      }
      const json = this.#answerOf(pathname, searchParams);
      if (json !== undefined) await route.fulfill({ json });
      else await route.fulfill({ status: 404, json: { error: this.#notFound(pathname) } });
    });
  }

  #notFound(path: string): string {
    const [, name] = /^\/admin\/pipelines\/([^/]+)/.exec(path) ?? [];
    return name === undefined || this.names.includes(name)
      ? 'There is no such path; there are GET /livez.'
      : `No pipeline of this name is served; served: ${this.names.join(', ')}.`;
  }

  get #now(): number {
    return Date.now() + this.#fake.skewMs;
  }

  #answerOf(path: string, query: URLSearchParams): object | undefined {
    const { names } = this;
    const { isOlder } = this.#fake;
    if (path === '/admin/pipelines') return { pipelines: names.map((name) => this.#facts(name)) };
    const [, name = '', rest = ''] = /^\/admin\/pipelines\/([^/]+)(.*)$/.exec(path) ?? [];
    if (!names.includes(name)) return undefined;
    const [, id] = /^\/decisions\/(\d+)$/.exec(rest) ?? [];
    if (id !== undefined) return this.#decision(Number(id));
    const answers: Readonly<Record<string, () => object>> = {
      '': () => this.#facts(name),
      '/running-plan': () => ({
        stages: Object.fromEntries(this.#stageIds.map((stage) => [stage, this.#runningStage(stage)])),
      }),
      '/decisions': () => this.#decisions(Number(query.get('limit') ?? 50), Number(query.get('before') ?? Number.NaN)),
    };
    const newer: typeof answers = {
      '/graph': () => this.#graph(),
      '/counts': () => this.#counts(),
      '/history': () => this.#history(Number(query.get('fromEpochMs') ?? 0)),
      '/why': () => this.#incident(),
      '/requests': () => this.#requests(),
    };
    return (answers[rest] ?? (isOlder ? undefined : newer[rest]))?.();
  }

  #incident(): IncidentCard {
    const toEpochMs = this.#now;
    const fromEpochMs = toEpochMs - 600_000;
    const [stage] = this.#stageIds;
    return {
      ...{
        verdict: 'incident',
        harmful: true,
        cause: 'slow-replica',
        stageId: stage as StageId,
        fromEpochMs,
        toEpochMs,
      },
      harm: {
        ...{ requests: 12_000, missed: 1_234, dropped: 1_000, failed: 34, late: 200 },
        ...{ missedFraction: 0.1028, allowedFraction: 0.01 },
      },
      episode: { fromEpochMs: fromEpochMs + 60_000, toEpochMs: fromEpochMs + 240_000 },
      summary: `The replica ${stage}-1 takes 3.1 times as long as its peers.`,
      firstSignal: { atEpochMs: fromEpochMs + 62_000, text: `batches of ${stage}-1 take longer` },
      evidence: [
        { text: 'batch time of the replica (ms)', measured: 124.3, low: 118.2, high: 130.9, expected: 40 },
        { text: 'requests whose client disconnected', measured: 0, expected: 0 },
      ],
      runnerUp: { cause: 'overload', against: 'The load was 20 req/s, as planned.' },
      counterfactual: {
        ...{ text: `Without ${stage}-1, 12 of 3,600 requests would have missed the SLO.`, holds: true },
        plan: this.#plan() as unknown as Plan,
      },
    };
  }

  /** Two items of a client batch: they have one trace. */
  #requests() {
    const [stageId] = this.#stageIds;
    const spans = [{ stageId, kind: 'run', startMs: 0, endMs: 30 }];
    const request = { traceId: 'ab'.repeat(16), startedEpochMs: this.#startedEpochMs, outcome: 'completed', spans };
    const requests = [
      { ...request, latencyMs: 45, omittedVisits: 17 },
      { ...request, latencyMs: 30 },
    ];
    return { tracing: true, requests };
  }

  #plan() {
    const stage = { variantId: 'large', resources: { cpuCores: 1 }, maxBatchSize: 4, replicas: 2 };
    return {
      stages: Object.fromEntries(this.#stageIds.map((each) => [each, [stage]])),
      predicted: { latencyMs: 150, percentile: 99, pas: 0.87, capacityRps: 40, cpuCores: 6, costPerHour: 6 },
    };
  }

  #facts(name: string) {
    const requests = {
      arrived: this.#arrived,
      completed: this.#arrived,
      withinSlo: this.#arrived,
      failed: 0,
      dropped: {},
    };
    const { isFixed, follows } = this.#fake;
    return {
      ...{
        name,
        mode: isFixed || follows ? 'off' : 'auto',
        fixed: isFixed || follows,
        ...(follows && { follows }),
        ready: true,
        pins: {},
        faults: [],
        inFlight: 3,
        requests,
      },
      ...{ slo: { latencyMs: 200, percentile: 99 }, budget: { cpuCores: 40 }, objective: { kind: 'max-accuracy' } },
      arrivalRps: 20,
    };
  }

  get #arrived(): number {
    return Math.round((20 * (this.#now - this.#startedEpochMs)) / 1000) + 1000;
  }

  #runningStage(stage: string) {
    return { replicas: replicas(stage), maxBatchSize: 4, maxBatchWaitMs: 0, queueLength: 2 };
  }

  #graph() {
    const ids = this.#stageIds;
    return {
      ...{ slo: { latencyMs: 200, percentile: 99 }, budget: {}, objective: { kind: 'max-accuracy' }, intervalMs: 1000 },
      ...{ sources: [{ name: 'input', to: [ids[0]] }], combines: [], outputs: [{ from: ids.at(-1) }] },
      stages: ids.map((stageId) => ({
        ...{ stageId, kind: 'model', pins: {}, bounds: { minReplicas: 1, maxReplicas: 8 } },
        variants: [{ variantId: 'large', accuracy: { value: 0.9, metric: 'f1' }, cpuCores: [1] }],
      })),
      edges: ids.slice(1).map((to, at) => ({ from: ids[at], to, ...(at === 0 && { fanOut: 2 }) })),
    };
  }

  #counts() {
    const items = this.#arrived;
    const stage = { items, batches: items / 2, busyMs: items * 9, waitMs: items * 3, failedItems: 0, queueLength: 2 };
    return {
      ...{ atEpochMs: this.#now, inFlight: 3, latencyMs: { p50: 60, atPercentile: 140 } },
      requests: { arrived: items, completed: items, withinSlo: items, failed: 0, dropped: {} },
      stages: Object.fromEntries(this.#stageIds.map((id) => [id, { ...stage, dropped: {} }])),
      edges: this.#stageIds.slice(1).map(() => ({ offered: 0, taken: 0, fanOuts: items, items: 2 * items })),
    };
  }

  #history(fromEpochMs: number) {
    const last = Math.floor(this.#now / 1000) * 1000;
    const all = Array.from({ length: this.#fake.points }, (_, at) => last - 1000 * (this.#fake.points - 1 - at));
    return { stepMs: 1000, points: all.filter((at) => at > fromEpochMs).map((at) => this.#point(at)) };
  }

  arrivalRpsAt(epochMs: number): number {
    return 20 + 5 * Math.sin(epochMs / 60_000);
  }

  #point(atEpochMs: number) {
    const wave = Math.sin(atEpochMs / 60_000);
    const stage = { arrivalRps: 20, p99Ms: 40, queueLength: 2, batchFill: 0.5 };
    const counted = { starting: 1, ready: 2, draining: 1, unhealthy: 1 };
    return {
      ...{
        atEpochMs,
        arrivalRps: this.arrivalRpsAt(atEpochMs),
        forecastRps: 20,
        forecastUpperRps: 27,
        completedRps: 20,
        failedRps: 0,
      },
      ...{
        lateRps: wave > 0.98 ? 0.5 : 0,
        drops: wave > 0.99 ? { 'queue-full': 1 } : {},
        p50Ms: 60,
        p99Ms: 140 + 30 * wave,
      },
      ...{ accuracy: 0.87, cost: 6, cpuCores: { used: 4, planned: 6 } },
      stages: Object.fromEntries(this.#stageIds.map((id) => [id, { ...stage, replicas: counted }])),
    };
  }

  #decisions(limit: number, before: number) {
    const { decisions } = this.#fake;
    const first = Math.min(decisions, Number.isNaN(before) ? decisions : before - 1);
    const ids = Array.from({ length: Math.min(limit, first) }, (_, at) => first - at);
    const next = ids.length === limit ? ids.at(-1) : undefined;
    return { decisions: ids.map((id) => this.#summary(id)), ...(next !== undefined && { nextBefore: next }) };
  }

  #summary(id: number) {
    const atEpochMs = this.#startedEpochMs - 10_000 * (this.#fake.decisions - id);
    const facts = { id, atEpochMs, trigger: 'plan', mode: 'auto', reason: `reason of ${id}` };
    return id % 5 === 0
      ? { ...facts, kind: 'apply', outcome: { kind: 'applied', tookMs: 50 } }
      : { ...facts, kind: 'hold' };
  }

  #decision(id: number): object | undefined {
    if (id < 1 || id > this.#fake.decisions) return undefined;
    const { kind, reason, ...facts } = this.#summary(id);
    const plan = this.#plan();
    const evidence = { forecast: { method: 'smoothed', meanRps: 20, upperRps: 27 } };
    const observation = { load: { arrivalsPerSecond: [20, 20] }, stages: {}, staleSources: [] };
    return {
      ...facts,
      observation,
      decision: { kind, reason, evidence, ...(kind === 'apply' && { plan, changes: [] }) },
    };
  }
}
