/** Runs simulations in processes, one per core, with a time limit for foreign policies. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NameAnswer, RunAnswer, RunOutcome } from './cell-process.js';
import { type BenchRun, cellText } from './cells.js';

export interface RunAllOptions {
  readonly workers: number;
  /** Maximum time of one run of a foreign policy. */
  readonly limitMs: number;
  readonly onRun: (run: BenchRun, outcome: RunOutcome, elapsedMs: number) => void;
}

/** Maximum heap of a process. */
const HEAP_MIB = 2048;

function newProcess(): ChildProcess {
  const script = fileURLToPath(new URL('cell-process.ts', import.meta.url));
  const execArgv = ['--import', 'tsx', '--conditions=equipoise-source', `--max-old-space-size=${HEAP_MIB}`];
  return fork(script, { execArgv });
}

/** Calls `onReady` once the process has started, so that time limits exclude its start. */
function whenReady(child: ChildProcess, onReady: () => void): void {
  child.once('message', onReady);
}

/** Loads a foreign policy in a process of its own. Rejects if it is broken or does not load in time. */
export async function nameOfPolicy(path: string, limitMs: number): Promise<string> {
  const child = newProcess();
  try {
    const answer = await new Promise<NameAnswer>((answered) => {
      let limit: NodeJS.Timeout | undefined;
      const done = (message: NameAnswer): void => {
        clearTimeout(limit);
        answered(message);
      };
      child.on('exit', (code) => done({ message: `${path}: its process ended with exit code ${code}.` }));
      whenReady(child, () => {
        child.on('message', done);
        const late = `${path}: the policy did not load within ${limitMs / 1000} s.`;
        limit = setTimeout(() => done({ message: late }), limitMs);
        child.send({ nameOf: path });
      });
    });
    if ('message' in answer) throw new Error(answer.message);
    return answer.name;
  } finally {
    child.kill('SIGKILL');
  }
}

const runText = (run: BenchRun): string => `${run.policy}: ${cellText(run)}, seed ${run.seed}`;

/** Rejects with the first run that fails, after it ended all processes. */
export async function runAll(runs: readonly BenchRun[], options: RunAllOptions): Promise<void> {
  const waiting = grouped(runs);
  const children: ChildProcess[] = [];
  try {
    const workers = Array.from({ length: Math.min(options.workers, waiting.length) }, () => {
      const child = newProcess();
      children.push(child);
      return workOff(child, waiting, options);
    });
    await Promise.all(workers);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** Runs of a policy in a cell, all seeds. They share most of the work, so one process takes them. */
function grouped(runs: readonly BenchRun[]): BenchRun[][] {
  const groups = new Map<string, BenchRun[]>();
  for (const run of runs) {
    const key = `${cellText(run)} ${run.policy}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()];
}

function workOff(child: ChildProcess, waiting: BenchRun[][], { limitMs, onRun }: RunAllOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let group: BenchRun[] = [];
    let current: BenchRun | undefined;
    let limit: NodeJS.Timeout | undefined;
    const next = (): void => {
      clearTimeout(limit);
      if (group.length === 0) group = waiting.shift() ?? [];
      const run = group.shift();
      current = run;
      if (run === undefined) {
        resolve();
        return;
      }
      if (run.foreign) limit = setTimeout(() => reject(tooLong(run, limitMs)), limitMs);
      child.send(run);
    };
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      const where = current === undefined ? '' : `${runText(current)}: `;
      reject(new Error(`${where}a process of the benchmark ended (${signal ?? `exit code ${code}`}).`));
    });
    child.on('error', reject);
    whenReady(child, () => {
      child.on('message', ({ elapsedMs, ...answer }: RunAnswer) => {
        const run = current as BenchRun;
        if (answer.kind === 'failed') return reject(new Error(`${runText(run)}: ${answer.message}`));
        onRun(run, answer, elapsedMs);
        next();
      });
      next();
    });
  });
}

const tooLong = (run: BenchRun, limitMs: number): Error =>
  new Error(
    `${runText(run)}: no answer within ${limitMs / 1000} s. Make the policy faster, or allow more time with --limit-s.`,
  );
