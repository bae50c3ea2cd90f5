/** `equipoise operator` as a process, with the rights of the shipped account. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildProgram } from './child-program.test-support.js';
import { podNetwork } from './stand-in-routers.test-support.js';

const fileOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const EQUIPOISE = fileOf('../../../app/bin/equipoise.js');
const POD_ADDRESSES = fileOf('pod-addresses.mjs');

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly url?: string;
}

export class OperatorCommand {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'equipoise-operator-'));
  readonly #program: ChildProgram;

  constructor(kubeconfig: string, ...flags: readonly string[]) {
    const file = path.join(this.#folder, 'kubeconfig');
    writeFileSync(file, kubeconfig);
    const env = { ...process.env, NODE_OPTIONS: `--import=${POD_ADDRESSES}`, POD_NETWORK: String(podNetwork) };
    const command = [EQUIPOISE, 'operator', '--kubeconfig', file, '--port', '0', '--no-admin-port', ...flags];
    this.#program = new ChildProgram(process.execPath, command, this.#log, { env });
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  /** Missing while the operator runs, or if a signal ended it. */
  get exitCode(): number | undefined {
    return this.#program.exitCode;
  }

  /** Resolves when the operator has ended in any way. */
  get ended(): Promise<void> {
    return this.#program.ended;
  }

  /** The operator's log so far; each line is a document. */
  get lines(): readonly LogLine[] {
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
    return lines.filter(isLogLine).map((line) => JSON.parse(line) as LogLine);
  }

  /** The document that `--json` prints. */
  get document(): unknown {
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
    return JSON.parse(lines.filter((line) => !isLogLine(line)).join('\n'));
  }

  has(message: string): boolean {
    return this.lines.some((line) => line.message === message);
  }

  /** Answer of a path on the operator's port; undefined before it listens. */
  async asks(urlPath: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
    const url = this.lines.find(({ message }) => message === 'started')?.url;
    if (url === undefined) return undefined;
    const answer = await fetch(`${url}${urlPath}`);
    return { status: answer.status, text: await answer.text() };
  }

  stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    return this.#program.stop(signal);
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #log(): string {
    return path.join(this.#folder, 'log');
  }
}

const isLogLine = (line: string): boolean => line.startsWith('{"at":');
