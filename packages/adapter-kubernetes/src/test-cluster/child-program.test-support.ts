/** Program that a test starts and stops, with its output in a file. It does not outlive the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';

/** Ends the program with its parent process, if the kernel supports this. */
const setpriv = '/usr/bin/setpriv';
const dieWithUs = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL'] : [];

const STOP_AFTER_MS = 10_000;
const LAST_CHARACTERS = 2_000;

/** Programs that end with this process. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Folder and environment of a program; default: those of this process. */
export interface ProgramPlace {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export class ChildProgram {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<void>;

  constructor(command: string, parameters: readonly string[], log: string, place: ProgramPlace = {}) {
    this.#log = log;
    const output = openSync(log, 'a');
    const [program = command, ...rest] = [...dieWithUs, command, ...parameters];
    this.#child = spawn(program, rest, { ...place, stdio: ['ignore', output, output] });
    closeSync(output);
    running.add(this.#child);
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        running.delete(this.#child);
        resolve();
      };
      this.#child.once('error', end);
      this.#child.once('exit', end);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Undefined while the program runs, or if a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child.exitCode ?? undefined;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Last output of the program, for failure messages. */
  get lastWords(): string {
    return readFileSync(this.#log, 'utf8').slice(-LAST_CHARACTERS);
  }

  /** Resolves when the program has ended in any way. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Signals the program, and kills it after `graceMs`; resolves when it has ended. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM', graceMs = STOP_AFTER_MS): Promise<void> {
    if (this.hasEnded) return;
    this.#child.kill(signal);
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(kill);
  }
}

/** Polls `isReady` until it is true. If `program` ends or is late, rejects with its last output. */
export async function readyWithin(
  limitMs: number,
  program: ChildProgram,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!(await isReady().catch(() => false))) {
    if (program.hasEnded) throw new Error(`the program ended:\n${program.lastWords}`);
    if (performance.now() > untilMs) throw new Error(`not ready after ${limitMs} ms:\n${program.lastWords}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
