/** A server as a process of its own on processors of its own, and what the system tells of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { invariant } from '@equipoise/core/model';

/** What to start: the arguments of Node, or those of another `command`, and the processors that the process may use. */
export interface ServerCommand {
  readonly command?: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** In the form of taskset; left out, all of them. */
  readonly processors?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What it says on stderr or stdout when it is ready. */
  readonly ready: RegExp;
  readonly startTimeoutMs?: number;
}

/** Clock ticks per second of the times in /proc; fixed on Linux. */
const TICKS_PER_SECOND = 100;
const START_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 15_000;
const KEPT_OUTPUT = 200_000;

/** A process that serves. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';
  #memoryAsked = 0;

  /** Starts it; call `said` before anything is sent to it. */
  constructor({ command = process.execPath, args, cwd, processors, environment = {} }: ServerCommand) {
    const pinned = processors === undefined ? [command, ...args] : ['taskset', '-c', processors, command, ...args];
    this.#child = spawn(pinned[0] as string, pinned.slice(1), {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    invariant(this.#child.pid !== undefined, 'the server has started');
    return this.#child.pid;
  }

  /** What `pattern` finds in its output, now or later. */
  async said(pattern: RegExp, timeoutMs = START_TIMEOUT_MS): Promise<RegExpExecArray> {
    for (const endsAtMs = performance.now() + timeoutMs; performance.now() < endsAtMs; ) {
      const found = pattern.exec(this.#output);
      if (found !== null) return found;
      if (!this.running) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The server did not say ${String(pattern)}:\n${this.#output}`);
  }

  /** Processor time so far, of all its threads, in seconds. */
  get processorSeconds(): number {
    return processorSecondsOf(`/proc/${this.pid}/stat`);
  }

  /** Processor time so far of its first thread, which in a router is the one that routes. */
  get mainThreadSeconds(): number {
    return processorSecondsOf(`/proc/${this.pid}/task/${this.pid}/stat`);
  }

  /** Of it and of the processes that it has started. */
  get openDescriptors(): number {
    return sum([this.pid, ...this.#children].map((pid) => readdirSync(`/proc/${pid}/fd`).length));
  }

  get residentBytes(): number {
    const [, kib = ''] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
    return Number(kib) * 1024;
  }

  /** Bytes of the heaps and buffers of it and its child processes after a collection; only of one started with `memoryReport`. */
  async keptBytes(): Promise<number> {
    this.#memoryAsked += 1;
    const asked = [this.pid, ...this.#children].map((pid) => {
      process.kill(pid, 'SIGUSR2');
      return this.said(new RegExp(`keeps ${pid} ${this.#memoryAsked} (\\d+)`));
    });
    return sum((await Promise.all(asked)).map(([, bytes]) => Number(bytes)));
  }

  get #children(): readonly number[] {
    return readdirSync('/proc').flatMap((name) =>
      /^\d+$/.test(name) && parentOf(`/proc/${name}/stat`) === this.pid ? [Number(name)] : [],
    );
  }

  /** Ends it with SIGTERM, or with SIGKILL where that does not help; tells whether it ended by itself and without an error. */
  async stop(): Promise<boolean> {
    this.#child.kill('SIGTERM');
    const cutOff = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(cutOff);
    return this.#child.exitCode === 0;
  }
}

/** How `bin/equipoise` starts Node for a server. */
export const seldomCollections = [
  '--max-semi-space-size=64',
  '--incremental-marking-soft-trigger=75',
  '--incremental-marking-hard-trigger=90',
];

/** Environment that makes `keptBytes` work. */
export const memoryReport = { NODE_OPTIONS: `--import=${new URL('report-memory.mjs', import.meta.url).href}` };

/** Starts it and waits until it is ready; gives what its ready line says. */
export async function startServerProcess(
  command: ServerCommand,
): Promise<{ readonly server: ServerProcess; readonly found: RegExpExecArray }> {
  const server = new ServerProcess(command);
  try {
    return { server, found: await server.said(command.ready, command.startTimeoutMs) };
  } catch (error) {
    if (server.running) await server.stop();
    throw error;
  }
}

/** A file of this benchmark. */
export function benchFile(relative: string): string {
  return fileURLToPath(new URL(`../${relative}`, import.meta.url));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function processorSecondsOf(statFile: string): number {
  // The second field is a name in parentheses, which may have spaces; user and system time are the 14th and 15th.
  const fields = readFileSync(statFile, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The parent of a process; undefined where the process is gone. */
function parentOf(statFile: string): number | undefined {
  try {
    return Number(readFileSync(statFile, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return undefined;
  }
}
