import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';

/** Time from SIGTERM to SIGKILL. */
const STOP_PATIENCE_MS = 5_000;
const KEPT_BYTES = 2048;

/** Command of a server; undefined processors mean all. */
export interface ServerCommand {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly processors?: readonly number[] | undefined;
}

const watchFile = createRequire(import.meta.url).resolve('@equipoise/adapter-open-inference/command-watch');

function canPin(): boolean {
  pinning ??= (() => {
    try {
      execFileSync('taskset', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  return pinning;
}
let pinning: boolean | undefined;

/**
 * Server in its own process group, so that one signal ends it with its children. A watch process ends it when this
 * process exits.
 */
export class ServerProcess {
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #lastWords = '';
  #running = true;

  constructor({ command, environment, directory, processors }: ServerCommand) {
    const watched = [process.execPath, watchFile, ...command];
    const [program = '', ...args] =
      processors === undefined || !canPin() ? watched : ['taskset', '-c', processors.join(','), ...watched];
    this.#child = spawn(program, args, {
      cwd: directory,
      detached: true,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => this.#note(chunk));
    this.#child.stdio[3]?.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(this.#end(`it cannot be started: ${error.message}`)));
      this.#child.once('close', (exitCode, signal) =>
        resolve(this.#end(signal === null ? `it ended with exit code ${exitCode}` : `it was ended by ${signal}`)),
      );
      this.#child.once('exit', () => this.#signal('SIGKILL'));
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** Sends SIGTERM, then SIGKILL; resolves when the whole group is gone. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    const timeout = setTimeout(() => this.#signal('SIGKILL'), STOP_PATIENCE_MS);
    await this.ended;
    clearTimeout(timeout);
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.ended;
  }

  #note(chunk: Buffer): void {
    this.#lastWords = (this.#lastWords + chunk.toString()).slice(-KEPT_BYTES);
  }

  #end(reason: string): string {
    this.#running = false;
    const words = this.#lastWords.trim();
    return words === '' ? reason : `${reason}; it printed last:\n${words}`;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is gone.
    }
  }
}
