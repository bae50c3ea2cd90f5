/** A server as a separate process on its own processors, with measurements by the operating system. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invariant } from '@equipoise/core/model';

/** Command to start: arguments of Node, or of another `command`. */
export interface ServerCommand {
  readonly command?: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Processor list in the form of taskset; default: all processors. */
  readonly processors?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Text on stderr or stdout by which the server reports that it is ready. */
  readonly ready: RegExp;
  readonly startTimeoutMs?: number;
}

/** Clock ticks per second of the times in /proc; fixed on Linux. */
const TICKS_PER_SECOND = 100;
const START_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 15_000;
const KEPT_OUTPUT = 200_000;

/** A running server process. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';
  #memoryAsked = 0;

  /** Starts the process. Call `said` before the first request. */
  constructor({ command = process.execPath, args, cwd, processors, environment = {} }: ServerCommand) {
    const pinned = processors === undefined ? [command, ...args] : ['taskset', '-c', processors, command, ...args];
    this.#child = spawn(pinned[0] as string, pinned.slice(1), {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...sameNode, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  /** End of the output so far. */
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

  /** Match of `pattern` in the output, now or later. */
  async said(pattern: RegExp, timeoutMs = START_TIMEOUT_MS): Promise<RegExpExecArray> {
    for (const endsAtMs = performance.now() + timeoutMs; performance.now() < endsAtMs; ) {
      const found = pattern.exec(this.#output);
      if (found !== null) return found;
      if (!this.running) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The server did not say ${String(pattern)}:\n${this.#output}`);
  }

  /** Processor time of all threads so far, in seconds. */
  get processorSeconds(): number {
    return processorSecondsOf(`/proc/${this.pid}/stat`);
  }

  /** Processor time of the first thread so far (s). In a router, this thread routes. */
  get mainThreadSeconds(): number {
    return processorSecondsOf(`/proc/${this.pid}/task/${this.pid}/stat`);
  }

  /** Open descriptors of the process and its child processes. */
  get openDescriptors(): number {
    return sum([this.pid, ...this.#children].map((pid) => readdirSync(`/proc/${pid}/fd`).length));
  }

  get residentBytes(): number {
    const [, kib = ''] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
    return Number(kib) * 1024;
  }

  /**
   * Bytes of heap and buffers of the process and its child processes after a garbage collection. Needs `memoryReport`.
   */
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

  /** Sends SIGTERM, and SIGKILL if that does not help. True if the process exited by itself and without an error. */
  async stop(): Promise<boolean> {
    this.#child.kill('SIGTERM');
    const cutOff = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(cutOff);
    return this.#child.exitCode === 0;
  }
}

/** Starts Node as `equipoise serve` does; takes the arguments of Node. */
export const servingNode = benchFile('../../packages/app/bin/serving-node');

/** Environment in which `servingNode` starts the Node of this process. */
export const sameNode = { PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter) };

/** Environment that `keptBytes` requires. */
export const memoryReport = { NODE_OPTIONS: `--import=${new URL('report-memory.mjs', import.meta.url).href}` };

/** Starts a server, waits until it is ready and returns the match of its ready line. */
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

/** Path of a file of this benchmark. */
export function benchFile(relative: string): string {
  return fileURLToPath(new URL(`../${relative}`, import.meta.url));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function processorSecondsOf(statFile: string): number {
  // The second field is a name in parentheses, which may have spaces. User and system time are the 14th and 15th
  // fields.
  const fields = readFileSync(statFile, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Parent of a process; undefined if the process is gone. */
function parentOf(statFile: string): number | undefined {
  try {
    return Number(readFileSync(statFile, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return undefined;
  }
}
