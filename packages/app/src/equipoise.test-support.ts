/** Compiled command line as a child process; needs `npm run build`. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Running commands of this test file. */
const running = new Set<RunningCommand>();

export const BIN = fileURLToPath(new URL('../bin/equipoise.js', import.meta.url));

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end in the folder `cwd`. */
export function equipoise(cwd: string, ...args: string[]): Promise<Ended> {
  return new RunningCommand(cwd, args).ended;
}

/** Document on stdout; throws for any other output. */
export const documentOf = ({ stdout }: Ended): unknown => JSON.parse(stdout) as unknown;

/** A program in place of the command line. `ownsGroup`: signals reach all processes that it starts, as from a terminal. */
export interface OtherProgram {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  readonly ownsGroup: boolean;
}

export class RunningCommand {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ownsGroup: boolean;
  readonly #waiting = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #over = false;

  constructor(cwd: string, args: readonly string[], other?: OtherProgram) {
    const env = other?.env ?? { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' };
    const [path, all] = other === undefined ? [process.execPath, [BIN, ...args]] : [other.path, args];
    this.#ownsGroup = other?.ownsGroup ?? false;
    this.#child = spawn(path, all, { cwd, env, detached: this.#ownsGroup });
    this.#child.stdin.end();
    running.add(this);
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      for (const look of this.#waiting) look();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (exitCode, signal) => {
        this.#over = true;
        running.delete(this);
        for (const look of this.#waiting) look();
        resolve({ exitCode, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when `pattern` appears on stderr; rejects if the process ends without it. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(this.#stderr);
        if (found === null && !this.#over) return;
        this.#waiting.delete(look);
        if (found === null) reject(new Error(`It ended before it said ${String(pattern)}:\n${this.#stderr}`));
        else resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Stops reading the stdout of the command. */
  stopReading(): void {
    this.#child.stdout.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#ownsGroup) this.#child.kill(signal);
    else if (!this.#over) process.kill(-this.pid, signal);
  }
}

export interface Serving {
  readonly command: RunningCommand;
  readonly url: string;
}

/** Starts `equipoise serve` on a free port and waits until it is ready. */
export async function serving(cwd: string, ...args: string[]): Promise<Serving> {
  const command = new RunningCommand(cwd, ['serve', '--admin-port', '0', ...args, '--port', '0']);
  const [, url = ''] = await command.said(/ready (http:\S+)/);
  return { command, url };
}

/** Ends running commands; for hooks, so that a failed test leaves no process. */
export async function endCommands(): Promise<void> {
  const left = [...running];
  for (const command of left) command.signal('SIGKILL');
  await Promise.all(left.map((command) => command.ended));
}

/** Folder of a test file. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'equipoise-app-'));

  /** Writes a file and returns its name. */
  write(name: string, text: string): string {
    writeFileSync(join(this.path, name), text);
    return name;
  }

  /** Removes the folder after its processes have ended. */
  async remove(): Promise<void> {
    await endCommands();
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Parameters of a pipeline of two synthetic stages; `detect` adds YAML lines to the first stage. */
export interface SyntheticPipeline {
  readonly name?: string;
  readonly latencyMs?: number;
  readonly cpuCores?: number;
  /** Service time of one item by the accurate variant. */
  readonly largeMs?: number;
  readonly detect?: string;
  readonly spec?: string;
}

/** YAML of a pipeline with an accurate variant and a cheap one of 5 ms. */
export function syntheticPipeline(over: SyntheticPipeline = {}): string {
  const { name = 'synthetic', latencyMs = 200, cpuCores = 3, largeMs = 20, detect = '', spec = '' } = over;
  return `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${name} }
spec:
  slo: { latencyMs: ${latencyMs} }
  budget: { cpuCores: ${cpuCores} }
  objective: max-accuracy
  ${spec}
  stages:
    - name: detect
      ${detect}
      variants:
        - name: small
          accuracy: { value: 0.5 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5, p99Ms: 6 }, { cpuCores: 1, batchSize: 4, meanMs: 12, p99Ms: 14 }]
        - name: large
          accuracy: { value: 0.8 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: ${largeMs}, p99Ms: ${1.1 * largeMs} }]
    - name: classify
      variants:
        - name: only
          accuracy: { value: 0.5 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 4, p99Ms: 5 }]
`;
}
