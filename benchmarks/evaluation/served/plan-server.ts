/** Server process with the cheapest plan of a pipeline that reaches an accuracy. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import type { EdgeCount, PipelineSpec, Plan, RunningPlan, TensorMap } from '@equipoise/core/model';
import { pipelineAccuracy } from '@equipoise/core/plan';
import { toDocument } from '@equipoise/pipeline-file';
import { loadSpec } from '../../../packages/app/src/compose/load-spec.js';
import { withOmitted } from '../../../packages/core/src/model/omission.js';
import { specOfPlan } from '../../../packages/core/src/model/resolved-spec.js';

const PROGRAM = 'packages/app/bin/equipoise.js';
/** Choices of all stages, so that no plan pays for coarse steps. */
const CPU_SHARES = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1];
const TICKS_PER_S = 100;
/** A busy machine drops nothing: late answers are counted instead. */
const PATIENCE_MS = 60_000;

export interface PlanQuestion {
  readonly file: string;
  readonly arrivalRps: number;
  readonly accuracyFloor: number;
}

/** `outputs` are undefined if the request failed. */
export interface Answer {
  readonly outputs: TensorMap | undefined;
  readonly latencyMs: number;
}

/** Measures what the profile lacks on this machine. */
export function profilePipeline(file: string): void {
  const { status } = spawnSync(process.execPath, [PROGRAM, 'profile', file, '--quick'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`the profile of ${file} failed`);
}

export class PlanServer {
  readonly spec: PipelineSpec;
  readonly stages: Plan['stages'];
  readonly #child: ChildProcess;
  readonly #admin: string;
  readonly #client: ReturnType<typeof openInferenceClient>;

  private constructor(
    child: ChildProcess,
    {
      spec,
      stages,
      url,
      admin,
    }: Pick<PlanServer, 'spec' | 'stages'> & { readonly url: string; readonly admin: string },
  ) {
    this.spec = spec;
    this.stages = stages;
    this.#child = child;
    this.#admin = admin;
    this.#client = openInferenceClient(url);
  }

  static async start({ file, arrivalRps, accuracyFloor }: PlanQuestion): Promise<PlanServer> {
    const written = await loadSpec(file);
    const spec: PipelineSpec = {
      ...written,
      objective: { kind: 'min-cost', accuracyFloor },
      budget: { cpuCores: availableParallelism() },
      stages: written.stages.map((stage) => ({
        ...stage,
        variants: stage.variants.map((variant) => ({ ...variant, cpuCores: CPU_SHARES })),
      })),
    };
    const path = join(spec.baseDir, `.served-${spec.name}.yaml`);
    writeFileSync(path, JSON.stringify(toDocument(spec)));
    const args = ['serve', path, '--fixed', '--arrival-rps', String(arrivalRps), '--port', '0', '--admin-port', '0'];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      const { url, admin } = await addressesOf(child);
      const stages = withOmitted(spec, await planOf(admin, spec.name));
      const server = new PlanServer(child, { spec, stages, url, admin });
      if (server.expectedAccuracy >= accuracyFloor) return server;
      throw new Error(`no plan of ${file} reaches ${accuracyFloor} at ${arrivalRps} rps on this machine`);
    } catch (error) {
      child.kill();
      throw error;
    } finally {
      rmSync(path, { force: true });
    }
  }

  /** Measured accuracy of the combination that the plan runs. */
  get expectedAccuracy(): number {
    const { spec, stages } = this;
    const choice = Object.entries(stages).flatMap(([id, [part]]) => (part ? [[id, part.variantId]] : []));
    return pipelineAccuracy(specOfPlan(spec, stages), Object.fromEntries(choice)).pas;
  }

  /** Sends a request that was due at `dueMs`. */
  async ask(inputs: TensorMap, dueMs: number): Promise<Answer> {
    const asked = this.#client.infer(this.spec.name, { inputs, parameters: { timeout_ms: PATIENCE_MS } });
    const outputs = await asked.then(
      (answer) => answer.outputs,
      () => undefined,
    );
    return { outputs, latencyMs: performance.now() - dueMs };
  }

  async edges(): Promise<readonly EdgeCount[]> {
    const { edges } = (await asked(`${this.#admin}/admin/pipelines/${this.spec.name}/counts`)) as {
      edges: EdgeCount[];
    };
    return edges;
  }

  /** User and system time of the process with its threads. */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (1000 * (Number(fields[11]) + Number(fields[12]))) / TICKS_PER_S;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

async function addressesOf(child: ChildProcess): Promise<{ url: string; admin: string }> {
  let log = '';
  const ended = once(child, 'exit');
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    log += part;
  });
  for (;;) {
    const url = /ready\S* (http:\/\/\S+) serves/.exec(log)?.[1];
    const admin = /control it at (http:\/\/[^\s/]+)/.exec(log)?.[1];
    if (url !== undefined && admin !== undefined) return { url, admin };
    if (child.exitCode !== null) throw new Error(log);
    await Promise.race([once(child.stderr ?? child, 'data'), ended]);
  }
}

async function asked(url: string): Promise<unknown> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
  return response.json();
}

/** Stages of the running plan. */
async function planOf(admin: string, name: string): Promise<Plan['stages']> {
  const { stages } = (await asked(`${admin}/admin/pipelines/${name}/running-plan`)) as RunningPlan;
  const entries = Object.entries(stages).flatMap(([id, { replicas, maxBatchSize, maxBatchWaitMs, threshold }]) => {
    const [replica] = replicas;
    if (replica === undefined) return [];
    const { variantId, resources } = replica;
    const part = { variantId, resources, maxBatchSize, maxBatchWaitMs, replicas: replicas.length, trafficFraction: 1 };
    return [[id, [threshold === undefined ? part : { ...part, threshold }]]];
  });
  return Object.fromEntries(entries);
}
