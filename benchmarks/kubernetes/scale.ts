/**
 * Many pipelines under one operator on a real API server. Measures the operator's cost while nothing changes, and the
 * time from a decision until its first change is on the server. This time is measured for single decisions and for all
 * pipelines at once.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Plan, type Rng, SeededRng } from '@equipoise/core/model';
import { objectName } from '../../packages/adapter-kubernetes/src/cluster/object-names.js';
import {
  deployments,
  type ObservedDeployment,
  pipelines,
} from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import { Reflector } from '../../packages/adapter-kubernetes/src/cluster/reflector.js';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { realClock } from '../../packages/adapter-kubernetes/src/test-cluster/real-clock.test-support.js';
import { type ControlPlaneCluster, human, startControlPlane } from './cluster.js';
import type { OperatorCommand, OperatorUsage } from './operator-messages.js';
import { type ChainStage, chain, chainPlan, pipelineName, stageName } from './scale-pipelines.js';

export interface ScaleQuestion {
  readonly pipelines: number;
  readonly stages: number;
  /** Duration without changes. */
  readonly quietS: number;
  /** Single decisions, and rounds with one decision for every pipeline. */
  readonly decisions: number;
  readonly rounds: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

/** Times in ms from a decision until its first step is on the server. */
export interface ScaleFigures {
  readonly pipelines: number;
  readonly stages: number;
  readonly deployments: number;
  /** Time from the first pass until all pipelines run, and the processor time used. */
  readonly startS: number;
  readonly startProcessorS: number;
  /** Cores of the operator while nothing changed. */
  readonly quietCores: number;
  readonly quietS: number;
  readonly residentMib: number;
  readonly oneAtATimeMs: readonly number[];
  readonly allAtOnceMs: readonly number[];
  /** Processor time of a decision, with all that follows. */
  readonly decisionProcessorMs: number;
  readonly failures: readonly string[];
}

const START_LIMIT_MS = 600_000;
const APPLY_LIMIT_MS = 60_000;
/** Duration without changes before the quiet time begins. */
const CALM_MS = 5_000;

const FROM_SOURCE = 'equipoise-source';
const digestKey = 'equipoise.dev/config-digest';

export async function measureScale(question: ScaleQuestion): Promise<ScaleFigures> {
  const { onProgress = () => {} } = question;
  const cluster = await startControlPlane();
  const seen = new SeenDeployments(cluster);
  const { namespace } = cluster;
  const names = Array.from({ length: question.pipelines }, (_, index) => pipelineName(index));
  const chains = new Map(names.map((name) => [name, firstStages(question.stages)]));
  const operator = new OperatorProcess();
  try {
    seen.start();
    for (const name of names) await cluster.admin.create(pipelines, chain(name, namespace, question.stages), human);
    const startedAtMs = performance.now();
    operator.tell({
      kind: 'start',
      kubeconfig: cluster.operatorKubeconfig,
      namespace,
      plans: plansOf(namespace, chains),
    });
    await eventually(
      async () => operator.isThere() && seen.readyCount === names.length * (question.stages + 1),
      START_LIMIT_MS,
    );
    const startS = (performance.now() - startedAtMs) / 1000;
    await seen.calm();
    const { processorS: startProcessorS } = await operator.usage();
    onProgress(`${seen.count} Deployments run after ${startS.toFixed(1)} s`);

    const quiet = await quietCores(operator, question.quietS);
    onProgress(`${(100 * quiet.cores).toFixed(2)} % of a core while nothing changes`);

    const rng = new SeededRng(question.seed);
    const before = await operator.usage();
    const oneAtATimeMs: number[] = [];
    while (oneAtATimeMs.length < question.decisions) {
      const name = names[Math.floor(rng.next() * names.length)] as string;
      oneAtATimeMs.push(...(await decide([name], { operator, seen, chains, namespace, rng })));
      await seen.calm(500);
    }
    await seen.calm();
    const after = await operator.usage();
    onProgress(`${question.decisions} decisions, the slowest applied after ${Math.max(...oneAtATimeMs).toFixed(0)} ms`);

    const allAtOnceMs: number[] = [];
    for (let round = 0; round < question.rounds; round++) {
      allAtOnceMs.push(...(await decide(names, { operator, seen, chains, namespace, rng })));
      onProgress(
        `round ${round + 1}: the last of ${names.length} applied after ${Math.max(...allAtOnceMs).toFixed(0)} ms at most`,
      );
      await seen.calm();
    }
    const { residentBytes, failures } = await operator.usage();
    return {
      ...{ pipelines: question.pipelines, stages: question.stages, deployments: seen.count },
      ...{ startS, startProcessorS, quietCores: quiet.cores, quietS: question.quietS },
      ...{ residentMib: residentBytes / 1024 ** 2, oneAtATimeMs, allAtOnceMs, failures },
      decisionProcessorMs: (1000 * (after.processorS - before.processorS)) / Math.max(1, question.decisions),
    };
  } finally {
    await operator.stop();
    await seen.stop();
    await cluster.stop();
  }
}

const firstStages = (count: number): readonly ChainStage[] =>
  Array.from({ length: count }, () => ({ variant: 'small', replicas: 1, maxBatchSize: 1 }));

function plansOf(
  namespace: string,
  chains: ReadonlyMap<string, readonly ChainStage[]>,
): Readonly<Record<string, Plan>> {
  return Object.fromEntries([...chains].map(([name, stages]) => [`${namespace}/${name}`, chainPlan(stages)]));
}

async function quietCores(operator: OperatorProcess, quietS: number): Promise<{ readonly cores: number }> {
  const before = await operator.usage();
  const beganAtMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 1000 * quietS));
  const { processorS } = await operator.usage();
  return { cores: (processorS - before.processorS) / ((performance.now() - beganAtMs) / 1000) };
}

interface Deciding {
  readonly operator: OperatorProcess;
  readonly seen: SeenDeployments;
  readonly chains: Map<string, readonly ChainStage[]>;
  readonly namespace: string;
  readonly rng: Rng;
}

/** Gives each pipeline another plan; returns the ms until each was on the server. */
async function decide(
  names: readonly string[],
  { operator, seen, chains, namespace, rng }: Deciding,
): Promise<readonly number[]> {
  const applied = names.map((name) => {
    const { stages, isApplied } = changed(name, chains.get(name) ?? [], { seen, rng });
    chains.set(name, stages);
    return isApplied;
  });
  const decided = new Map([...chains].filter(([name]) => names.includes(name)));
  const decidedAtMs = performance.now();
  operator.tell({ kind: 'decide', plans: plansOf(namespace, decided) });
  return Promise.all(applied.map(async (isApplied) => (await seen.when(isApplied, APPLY_LIMIT_MS)) - decidedAtMs));
}

/** Changes one stage. Returns a check for the first step on the server. */
function changed(
  pipeline: string,
  stages: readonly ChainStage[],
  { seen, rng }: Pick<Deciding, 'seen' | 'rng'>,
): { readonly stages: readonly ChainStage[]; readonly isApplied: (seen: SeenDeployments) => boolean } {
  const index = Math.floor(rng.next() * stages.length);
  const before = stages[index] as ChainStage;
  const to = (change: Partial<ChainStage>) => stages.with(index, { ...before, ...change });
  const nameOf = (variant: string): string => objectName(pipeline, stageName(index), variant);
  switch (Math.floor(rng.next() * 3)) {
    case 0: {
      const variant = before.variant === 'small' ? 'large' : 'small';
      return { stages: to({ variant }), isApplied: (now) => now.find(nameOf(variant)) !== undefined };
    }
    case 1: {
      const replicas = 3 - before.replicas;
      const digest = seen.digestOf(objectName(pipeline));
      // Growth changes the stage first; shrinking changes the router first.
      const isApplied = (now: SeenDeployments): boolean =>
        replicas > before.replicas
          ? now.find(nameOf(before.variant))?.spec.replicas === replicas
          : now.digestOf(objectName(pipeline)) !== digest;
      return { stages: to({ replicas }), isApplied };
    }
    default: {
      const digest = seen.digestOf(nameOf(before.variant));
      const maxBatchSize = before.maxBatchSize === 4 ? 1 : 2 * before.maxBatchSize;
      return { stages: to({ maxBatchSize }), isApplied: (now) => now.digestOf(nameOf(before.variant)) !== digest };
    }
  }
}

/** The Deployments of the namespace, by a separate watch. */
class SeenDeployments {
  readonly #abort = new AbortController();
  readonly #reflector: Reflector<ObservedDeployment>;
  readonly #waiting = new Set<() => void>();
  #changedAtMs = 0;
  #running: Promise<void> = Promise.resolve();

  constructor({ admin, namespace }: ControlPlaneCluster) {
    const base = { api: admin, clock: realClock, rng: new SeededRng(2) };
    const changed = (): void => {
      this.#changedAtMs = performance.now();
      for (const look of this.#waiting) look();
    };
    this.#reflector = new Reflector(base, { type: deployments, namespace }, { onChange: changed, onFailure: () => {} });
  }

  get count(): number {
    return this.#reflector.objects.size;
  }

  get readyCount(): number {
    const ready = [...this.#reflector.objects.values()].filter(
      ({ spec, status }) => (status?.readyReplicas ?? 0) === (spec.replicas ?? 1),
    );
    return ready.length;
  }

  find(name: string): ObservedDeployment | undefined {
    return [...this.#reflector.objects.values()].find(({ metadata }) => metadata.name === name);
  }

  digestOf(name: string): string | undefined {
    return this.find(name)?.spec.template.metadata?.annotations?.[digestKey];
  }

  /** Resolves with the time at which `holds` became true. */
  when(holds: (seen: SeenDeployments) => boolean, limitMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const look = (): void => {
        if (holds(this)) end(() => resolve(performance.now()));
      };
      const timer = setTimeout(() => end(() => reject(new Error(`not on the server after ${limitMs} ms`))), limitMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** Resolves after a while without changes. */
  async calm(calmMs = CALM_MS): Promise<void> {
    await eventually(async () => performance.now() - this.#changedAtMs > calmMs, START_LIMIT_MS);
  }

  start(): void {
    this.#running = this.#reflector.run(this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }
}

class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor() {
    const file = fileURLToPath(new URL('operator-process.ts', import.meta.url));
    // A child process finds packages as this one does: compiled or as source.
    const conditions = process.execArgv.some((each) => each.includes(FROM_SOURCE))
      ? [`--conditions=${FROM_SOURCE}`]
      : [];
    this.#child = fork(file, { execArgv: ['--import', 'tsx', ...conditions] });
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  /** Throws if the process has ended. */
  isThere(): true {
    if (this.#hasEnded) throw new Error('the process of the operator has ended');
    return true;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  tell(command: OperatorCommand): void {
    this.#child.send(command);
  }

  usage(): Promise<OperatorUsage> {
    return new Promise((resolve, reject) => {
      void this.#ended.then(() => reject(new Error('the process of the operator has ended')));
      this.#child.once('message', (message) => resolve(message as OperatorUsage));
      this.tell({ kind: 'usage' });
    });
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.tell({ kind: 'stop' });
    await this.#ended;
  }
}
