/**
 * Random plans of `equipoise serve`, applied one after the other through its admin port under a steady load. Each plan
 * changes variant, batch size or replicas of one stage; every plan can carry the load.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SeededRng } from '@equipoise/core/model';
import { type Bar, bar, told } from './bar.js';
import { quantileMs } from './load/open-load.js';
import { benchFile, servingNode, startServerProcess } from './router/server-process.js';

export interface PlanChangeFigures {
  readonly changes: number;
  /** Changes that were not applied, by outcome. */
  readonly notApplied: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Requests without status 200, by status or error. */
  readonly failed: Readonly<Record<string, number>>;
  readonly p99Ms: number;
}

const PIPELINE = 'changes';
const STAGES = ['first', 'second'] as const;
/** Mean time (ms) of one item. A single replica of any variant carries the load. */
const VARIANTS = { small: 2, large: 4 } as const;
const BATCH_SIZES = [1, 2, 4] as const;
const CPU_CORES = 0.25;
const MOST_REPLICAS = 3;
const ARRIVAL_RPS = 97;
/** Long, so that only a change can cost a request. */
const LATENCY_MS = 10_000;
/** The admin port accepts five changes per second. */
const REFUSED_WAIT_MS = 250;
const LOOK_MS = 5;
const SEED = 18;

interface StagePlan {
  readonly variantId: string;
  readonly resources: { readonly cpuCores: number };
  readonly maxBatchSize: number;
  readonly replicas: number;
}

type Plan = Readonly<Record<(typeof STAGES)[number], StagePlan>>;

export async function measurePlanChanges(changes: number): Promise<PlanChangeFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-changes-'));
  writeFileSync(join(folder, 'pipeline.yaml'), JSON.stringify(pipeline));
  const flags = ['--port', '0', '--admin-port', '0', '--arrival-rps', String(ARRIVAL_RPS)];
  const { server, found } = await startServerProcess({
    command: servingNode,
    args: [benchFile('../../packages/app/bin/equipoise.js'), 'serve', 'pipeline.yaml', ...flags],
    cwd: folder,
    ready: /ready (http\S+)/,
  });
  try {
    const [, admin = ''] = await server.said(/admin port (http:\S+?)\/admin/);
    const load = new SteadyLoad(found[1] ?? '');
    const notApplied: Record<string, number> = {};
    const rng = new SeededRng(SEED);
    let plan = Object.fromEntries(STAGES.map((name) => [name, randomStage(rng)])) as Plan;
    for (let change = 0; change < changes; change++) {
      plan = changedPlan(plan, rng);
      const outcome = await apply(admin, plan);
      if (outcome !== 'applied') notApplied[outcome] = (notApplied[outcome] ?? 0) + 1;
    }
    const answers = await load.stop();
    const failed: Record<string, number> = {};
    for (const { outcome } of answers) if (outcome !== '200') failed[outcome] = (failed[outcome] ?? 0) + 1;
    const latenciesMs = answers.map(({ latencyMs }) => latencyMs);
    return { changes, notApplied, requests: answers.length, failed, p99Ms: quantileMs(latenciesMs, 0.99) };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export function planChangeBars({ changes, notApplied, requests, failed, p99Ms }: PlanChangeFigures): readonly Bar[] {
  return [
    bar(`failed of ${requests} requests ${JSON.stringify(failed)}`, total(failed), 0, [0, 0]),
    bar(`not applied of ${changes} changes ${JSON.stringify(notApplied)}`, total(notApplied), 0, [0, 0]),
    told('p99 of all requests, ms', p99Ms.toFixed(1)),
  ];
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** The pipeline file; JSON is YAML. */
const pipeline = {
  apiVersion: 'equipoise.dev/v1alpha1',
  kind: 'InferencePipeline',
  metadata: { name: PIPELINE },
  spec: {
    slo: { latencyMs: LATENCY_MS },
    budget: { cpuCores: STAGES.length * MOST_REPLICAS * CPU_CORES },
    objective: 'max-accuracy',
    control: { mode: 'off', canary: false },
    stages: STAGES.map((name) => ({
      name,
      bounds: { batchSizes: BATCH_SIZES, replicas: { min: 1, max: MOST_REPLICAS } },
      variants: Object.entries(VARIANTS).map(([variant, itemMs]) => ({
        name: variant,
        accuracy: { value: 0.1 * itemMs },
        resources: { cpuCores: CPU_CORES },
        profile: BATCH_SIZES.map((batchSize) => ({
          ...{ cpuCores: CPU_CORES, batchSize },
          ...{ meanMs: itemMs * Math.sqrt(batchSize), p99Ms: 1.5 * itemMs * Math.sqrt(batchSize) },
        })),
      })),
    })),
  },
};

const oneOf = <Item>(items: readonly Item[], rng: SeededRng): Item =>
  items[Math.floor(rng.next() * items.length)] as Item;

function randomStage(rng: SeededRng): StagePlan {
  return {
    variantId: oneOf(Object.keys(VARIANTS), rng),
    resources: { cpuCores: CPU_CORES },
    maxBatchSize: oneOf(BATCH_SIZES, rng),
    replicas: 1 + Math.floor(rng.next() * MOST_REPLICAS),
  };
}

/** Plan that differs in one stage. */
function changedPlan(plan: Plan, rng: SeededRng): Plan {
  const name = oneOf(STAGES, rng);
  for (;;) {
    const next = randomStage(rng);
    if (JSON.stringify(next) !== JSON.stringify(plan[name])) return { ...plan, [name]: next };
  }
}

/** Returns the outcome, or status and code of a refusal. Waits while the admin port accepts no further change. */
async function apply(admin: string, plan: Plan): Promise<string> {
  const stages = Object.fromEntries(Object.entries(plan).map(([name, stage]) => [name, [stage]]));
  for (;;) {
    const response = await fetch(`${admin}/admin/pipelines/${PIPELINE}/apply`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stages, canary: false }),
    });
    const answer = (await response.json()) as { readonly outcome?: { readonly kind: string }; readonly code?: string };
    if (response.status === 200) return answer.outcome?.kind ?? 'no outcome';
    if (response.status !== 429) return `${response.status} ${answer.code}`;
    await delay(REFUSED_WAIT_MS);
  }
}

interface Answer {
  /** Status, or code of an error of the connection. */
  readonly outcome: string;
  readonly latencyMs: number;
}

/** Requests at a constant rate on persistent connections, whatever their outcomes, until `stop`. */
class SteadyLoad {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #startedAtMs = performance.now();
  readonly #answers: Promise<Answer>[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(url: string) {
    this.#url = `${url}/v1/pipelines/${PIPELINE}/run`;
    this.#timer = setInterval(() => this.#sendDue(), LOOK_MS);
  }

  async stop(): Promise<readonly Answer[]> {
    clearInterval(this.#timer);
    const answers = await Promise.all(this.#answers);
    this.#agent.destroy();
    return answers;
  }

  #sendDue(): void {
    const due = ((performance.now() - this.#startedAtMs) / 1000) * ARRIVAL_RPS;
    while (this.#answers.length < due) this.#answers.push(this.#send());
  }

  #send(): Promise<Answer> {
    const sentAtMs = performance.now();
    return new Promise((resolve) => {
      const end = (outcome: string) => resolve({ outcome, latencyMs: performance.now() - sentAtMs });
      const request = httpRequest(this.#url, { method: 'POST', agent: this.#agent }, (response) => {
        response.resume();
        response.once('close', () => end(response.complete ? String(response.statusCode) : 'cut off'));
      });
      request.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      request.end('x');
    });
  }
}
