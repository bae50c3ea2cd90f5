/** One attack, or several at once, next to good clients, with the cost for the server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { GoodAnswer, GoodClients } from './good-clients.js';
import type { Attack, AttackCounts } from './hostile-client.js';
import type { ProbeFigures } from './probe-thread.js';
import { NO_ANSWER_MS, type ServedPipeline } from './served-pipeline.js';

const FOLDER = fileURLToPath(new URL('attacks/', import.meta.url));
const SLO_MS = 500;
const MEMORY_EVERY_MS = 500;
/** Attackers get only the processor time that is left. Many processes of niceness 19 outweigh a server together. */
const LOWEST_PRIORITY = ['chrt', '--idle', '0'];
/** Additional time of an attacker to start, at lowest priority, and to print its counts. */
const ATTACKER_GRACE_MS = 180_000;

/** Bars of every attack. The bar on good requests is lower for all attacks together. */
export const BARS = {
  ...{ livezMs: 250, goodFraction: 0.99, goodTogetherFraction: 0.95 },
  ...{ addedMib: 128, leftMib: 32 },
} as const;

/** An attack of the corpus, with its name (`http1/slow-heads`) and its file. */
export interface NamedAttack {
  readonly name: string;
  readonly file: string;
  readonly attack: Attack;
}

export interface TrialFigures {
  /** Worst time of `/livez`; `NO_ANSWER_MS` if a probe got no answer. */
  readonly livezMs: number;
  /** Worst time on the health port. */
  readonly healthMs: number;
  readonly probes: number;
  readonly good: number;
  readonly withinSlo: number;
  readonly wrong: number;
  /** Good requests without a good answer, by status. */
  readonly lost: Readonly<Record<string, number>>;
  readonly beforeMib: number;
  readonly addedMib: number;
  /** Minimum memory growth within a minute after the attack. */
  readonly leftMib: number;
  /** Worst delay of the thread that probes. Measured times are too long by at most this delay. */
  readonly ownDelayMs: number;
  readonly attackers: Readonly<Record<string, AttackCounts>>;
  /** Answers to attackers that their bounds do not allow. */
  readonly forbidden: readonly string[];
}

export async function loadAttacks(): Promise<readonly NamedAttack[]> {
  const names = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const loaded = names.toSorted().map(async (name) => {
    const file = `${FOLDER}${name}`;
    const { attack } = (await import(file)) as { readonly attack: Attack };
    return { name: name.replace(/\.ts$/, ''), file, attack };
  });
  return Promise.all(loaded);
}

/** Runs attacks at the same time for some seconds, each in a process of lowest priority. */
export async function tryAttacks(
  attacks: readonly NamedAttack[],
  server: ServedPipeline,
  good: GoodClients,
  { seconds, leftWithinMs }: { readonly seconds: number; readonly leftWithinMs: number },
): Promise<TrialFigures> {
  await good.takeAnswers();
  const beforeMib = server.memoryMib();
  const watch = new Watch(server);
  const counted = await Promise.all(
    attacks.map((each) => runAttacker(each, server, { seconds, priority: LOWEST_PRIORITY })),
  );
  if (attacks.length === 0) await delay(1000 * seconds);
  const answers = await good.takeAnswers();
  const { livezMs, healthMs, probes, worstMib, ownDelayMs } = await watch.stop();
  const leftMib = await leastLeftMib(server, beforeMib, leftWithinMs);
  return {
    ...{ livezMs, healthMs, probes, ownDelayMs, beforeMib, addedMib: worstMib - beforeMib, leftMib },
    ...goodFigures(answers),
    attackers: Object.fromEntries(attacks.map(({ name }, index) => [name, counted[index] ?? NOTHING])),
    forbidden: attacks.flatMap((each, index) => forbiddenAnswers(each, counted[index] ?? NOTHING)),
  };
}

const ATTACKER_FAILED = 'attacker failed';
const NOTHING: AttackCounts = { connections: 0, sentBytes: 0, answers: {} };

export const describeMs = (ms: number): string => (ms < NO_ANSWER_MS ? `${ms.toFixed(0)} ms` : 'without answer');

/** The bars that a trial misses, in words. */
export function missedBars(figures: TrialFigures, goodFraction: number): string[] {
  const { livezMs, healthMs, good, withinSlo, wrong, addedMib, leftMib, forbidden } = figures;
  return [
    ...(healthMs > BARS.livezMs ? [`health port ${describeMs(healthMs)}`] : []),
    ...(livezMs > BARS.livezMs ? [`/livez ${describeMs(livezMs)}`] : []),
    ...(withinSlo < goodFraction * good ? [`good ${((100 * withinSlo) / good).toFixed(1)} %`] : []),
    ...(wrong > 0 ? [`${wrong} wrong answers`] : []),
    ...(addedMib > BARS.addedMib ? [`+${addedMib.toFixed(0)} MiB`] : []),
    ...(leftMib > BARS.leftMib ? [`${leftMib.toFixed(0)} MiB stay`] : []),
    ...forbidden,
  ];
}

function goodFigures(answers: readonly GoodAnswer[]): Pick<TrialFigures, 'good' | 'withinSlo' | 'wrong' | 'lost'> {
  const lost: Record<string, number> = {};
  for (const { status } of answers) if (status !== '200') lost[status] = (lost[status] ?? 0) + 1;
  const isGood = ({ status, isWrong, latencyMs }: GoodAnswer) => status === '200' && !isWrong && latencyMs <= SLO_MS;
  return {
    good: answers.length,
    withinSlo: answers.filter(isGood).length,
    wrong: answers.filter(({ isWrong }) => isWrong).length,
    lost,
  };
}

function forbiddenAnswers({ name, attack }: NamedAttack, { answers }: AttackCounts): string[] {
  const isForbidden = (answer: string): boolean =>
    answer === ATTACKER_FAILED ||
    (attack.allowed === undefined
      ? /^(500|501|502|505|grpc-2|grpc-13)$/.test(answer)
      : isUnlisted(attack.allowed, answer));
  const found = Object.entries(answers).filter(([answer]) => isForbidden(answer));
  return found.map(([answer, count]) => `${name}: ${count} × ${answer}`);
}

/** Errors of the attacker's own sockets are no answers. */
function isUnlisted(allowed: readonly string[], answer: string): boolean {
  return (
    /^(\d{3}|grpc-\d+|[a-z].*)$/.test(answer) && !allowed.includes(answer) && !/^(refused|goaway-|reset-)/.test(answer)
  );
}

/** Watches a server until it is stopped. */
class Watch {
  readonly #server: ServedPipeline;
  readonly #probes: Worker;
  readonly #timer: NodeJS.Timeout;
  #worstMib = 0;

  constructor(server: ServedPipeline) {
    this.#server = server;
    const { isSecure, ports } = server;
    this.#probes = new Worker(new URL('probe-thread.ts', import.meta.url), { workerData: { isSecure, ports } });
    this.#lookAtMemory();
    this.#timer = setInterval(() => this.#lookAtMemory(), MEMORY_EVERY_MS);
  }

  async stop(): Promise<ProbeFigures & { readonly worstMib: number }> {
    clearInterval(this.#timer);
    this.#lookAtMemory();
    const figures = once(this.#probes, 'message');
    this.#probes.postMessage('stop');
    const [probes] = (await figures) as [ProbeFigures];
    await this.#probes.terminate();
    return { ...probes, worstMib: this.#worstMib };
  }

  #lookAtMemory(): void {
    this.#worstMib = Math.max(this.#worstMib, this.#server.memoryMib());
  }
}

/** Waits at most `withinMs` until the memory is released. Returns the minimum growth. */
async function leastLeftMib(server: ServedPipeline, beforeMib: number, withinMs: number): Promise<number> {
  const until = performance.now() + withinMs;
  let least = server.memoryMib() - beforeMib;
  while (least > BARS.leftMib && performance.now() < until) {
    await delay(MEMORY_EVERY_MS);
    least = Math.min(least, server.memoryMib() - beforeMib);
  }
  return least;
}

/** Runs one attack in a process of its own. */
export async function runAttacker(
  { file, attack }: NamedAttack,
  server: ServedPipeline,
  { seconds, priority = [] }: { readonly seconds: number; readonly priority?: readonly string[] },
): Promise<AttackCounts> {
  const port = server.ports[attack.port ?? 'rest'];
  const command = [process.execPath, '--import', 'tsx', file, '127.0.0.1', String(port), String(seconds)];
  const [launcher = '', ...args] = [...priority, ...command];
  const child = spawn(launcher, args, {
    env: { ...process.env, ...server.attackEnv },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * seconds + ATTACKER_GRACE_MS);
  const [out, errors] = await Promise.all([readAll(child.stdout), readAll(child.stderr), exited(child)]);
  clearTimeout(timer);
  if (out !== '') return JSON.parse(out) as AttackCounts;
  process.stderr.write(`${file} ended without counts: ${errors.slice(-500)}\n`);
  return { ...NOTHING, answers: { [ATTACKER_FAILED]: 1 } };
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

const exited = (child: ChildProcess): Promise<unknown> => new Promise((resolve) => child.once('exit', resolve));
