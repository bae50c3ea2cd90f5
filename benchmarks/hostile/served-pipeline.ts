/** The server under attack: the documented command on loopback, its processes and their memory. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../packages/app/bin/equipoise', import.meta.url));
const PIPELINE = fileURLToPath(new URL('pipeline/pipeline.yaml', import.meta.url));
const START_MS = 120_000;
const DRAIN_MS = 45_000;
const MIB = 1024 ** 2;

/** Tokens of a secure server: of the good clients, of attackers, and of a limited tenant. */
const TOKENS = 'good good-token\nhostile hostile-token\nlimited limited-token rps=5 burst=10\n';
export const TOKEN = { good: 'good-token', hostile: 'hostile-token' } as const;

export interface ServedPipeline {
  readonly pid: number;
  readonly isSecure: boolean;
  readonly ports: { readonly rest: number; readonly grpc: number; readonly admin: number; readonly health: number };
  /** Variables that some attacks read. */
  readonly attackEnv: Readonly<Record<string, string>>;
  /** Lines that the server has written so far. */
  readonly log: readonly string[];
  isRunning(): boolean;
  /** Resident memory of the server and all its processes. */
  memoryMib(): number;
  /** Asks the server to drain; ends it after `withinMs` (default 30 s). */
  stop(withinMs?: number): Promise<void>;
}

export interface ServeOptions {
  readonly isSecure: boolean;
  /**
   * For tests on a busy machine: makes all times of the pipeline file 20 times as long. So no good batch counts as
   * hung.
   */
  readonly isPatient?: boolean;
}

/** Starts `equipoise serve` and returns when it is ready. */
export async function servePipeline({ isSecure, isPatient = false }: ServeOptions): Promise<ServedPipeline> {
  const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
  const ports = ['--port', '0', '--grpc-port', '0', '--admin-port', '0', '--health-port', '0'];
  const child = spawn(
    COMMAND,
    [
      'serve',
      isPatient ? writePatientPipeline() : PIPELINE,
      ...ports,
      ...(isPatient ? ['--fixed', '--arrival-rps', '1'] : ['--arrival-rps', '25']),
      ...(isSecure ? secured(folder) : []),
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  const log: string[] = [];
  let partial = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (partial + chunk).split('\n');
    partial = lines.pop() ?? '';
    log.push(...lines.map((line) => line.slice(0, 300)));
    if (log.length > 20_000) log.splice(0, 10_000);
  });
  const ready = await logged(child, log, /ready https?:\/\/[^:]+:(\d+)/);
  const pid = child.pid ?? 0;
  const portOf = (pattern: RegExp): number => Number(log.map((line) => pattern.exec(line)?.[1]).find(Boolean));
  return {
    ...{ pid, isSecure, log },
    ports: {
      rest: Number(ready[1]),
      grpc: portOf(/gRPC on [^:]+:(\d+)/),
      admin: portOf(/admin port http:\/\/[^:]+:(\d+)/),
      health: portOf(/health port http:\/\/[^:]+:(\d+)/),
    },
    attackEnv: {
      HOSTILE_SERVER_PID: String(pid),
      HOSTILE_TOKEN: TOKEN.hostile,
      HOSTILE_TOKEN_FILE: join(folder, 'tokens'),
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
    memoryMib: () => treeOf(pid).reduce((sum, each) => sum + residentMib(each), 0),
    stop: async (withinMs = DRAIN_MS) => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill()) {
        const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
        await ended;
        clearTimeout(timer);
      }
      process.off('exit', kill);
      rmSync(folder, { recursive: true });
    },
  };
}

function writePatientPipeline(): string {
  const folder = join(PIPELINE, '../.equipoise');
  mkdirSync(folder, { recursive: true });
  const text = readFileSync(PIPELINE, 'utf8')
    .replaceAll('module: .', 'module: ../.')
    .replace(/(latencyMs|meanMs|p99Ms): (\d+)/g, (_field, name, ms) => `${name}: ${20 * Number(ms)}`);
  const file = join(folder, 'patient.yaml');
  writeFileSync(file, text);
  return file;
}

function secured(folder: string): string[] {
  const [key, certificate, tokens] = ['key.pem', 'cert.pem', 'tokens'].map((name) => join(folder, name));
  if (key === undefined || certificate === undefined || tokens === undefined) return [];
  const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes', '-newkey', 'rsa:2048'];
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  writeFileSync(tokens, TOKENS);
  return ['--tls-cert', certificate, '--tls-key', key, '--token-file', tokens];
}

/** The first line of the log that matches. */
async function logged(child: ChildProcess, log: readonly string[], pattern: RegExp): Promise<RegExpExecArray> {
  const until = performance.now() + START_MS;
  while (performance.now() < until && child.exitCode === null) {
    const found = log.map((line) => pattern.exec(line)).find((match) => match !== null);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not become ready:\n${log.slice(-20).join('\n')}`);
}

/** A process and all below it. */
function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readOrNothing(`/proc/${pid}/stat`);
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const tree = [root];
  for (const each of tree) for (const [pid, parent] of parents) if (parent === each) tree.push(pid);
  return tree;
}

function residentMib(pid: number): number {
  return (Number(/VmRSS:\s+(\d+)/.exec(readOrNothing(`/proc/${pid}/status`))?.[1] ?? 0) * 1024) / MIB;
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Time of a probe without an answer: JSON has no Infinity. */
export const NO_ANSWER_MS = 1e9;

/** Milliseconds until `/livez` of a port answers 200 on a new connection. */
export function probeMs(
  { isSecure, ports }: Pick<ServedPipeline, 'isSecure' | 'ports'>,
  port: 'rest' | 'health',
  timeoutMs = 20_000,
): Promise<number> {
  const startedAtMs = performance.now();
  const options = { host: '127.0.0.1', port: ports[port], path: '/livez', agent: false, timeout: timeoutMs };
  const isCleartext = port === 'health' || !isSecure;
  return new Promise((resolve) => {
    const request = (isCleartext ? getHttp : getHttps)({ ...options, rejectUnauthorized: false }, (response) => {
      response.resume();
      response.once('close', () =>
        resolve(response.complete && response.statusCode === 200 ? performance.now() - startedAtMs : NO_ANSWER_MS),
      );
    });
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('error', () => resolve(NO_ANSWER_MS));
  });
}
