/**
 * A real Prometheus server for a suite. Samples of the past are backfilled as blocks, so that a test asks for a fixed
 * instant and waits for nothing.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tool } from '@equipoise/testkit';

export const prometheusTool: Tool = {
  name: 'prometheus',
  missing: 'prometheus and promtool of the package prometheus, on the PATH',
  isPresent: () => runs('prometheus') && runs('promtool'),
};

function runs(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const START_MS = 60_000;
const ATTEMPTS = 3;

export class PrometheusServer {
  readonly url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
  }

  /** `openMetrics`: samples with timestamps to begin with. `config`: prometheus.yml. */
  static async start({ openMetrics, config = '' }: { readonly openMetrics?: string; readonly config?: string }) {
    const folder = mkdtempSync(join(tmpdir(), 'equipoise-prometheus-'));
    const data = join(folder, 'tsdb');
    if (openMetrics !== undefined) {
      writeFileSync(join(folder, 'samples.om'), openMetrics);
      execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'samples.om'), data], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    }
    writeFileSync(join(folder, 'prometheus.yml'), config);
    for (let attempt = 1; ; attempt++) {
      const server = PrometheusServer.#spawn(folder, data, await freePort());
      if (await server.#isReady()) return server;
      if (attempt === ATTEMPTS) {
        await server.stop();
        throw new Error('Prometheus does not start');
      }
    }
  }

  static #spawn(folder: string, data: string, port: number): PrometheusServer {
    const flags = [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ];
    const child = spawn('prometheus', flags, { stdio: 'ignore' });
    return new PrometheusServer(`http://127.0.0.1:${port}`, folder, child);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill();
      await once(this.#child, 'close');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** False if the program has ended, because another one took the port. */
  async #isReady(): Promise<boolean> {
    const untilMs = performance.now() + START_MS;
    while (performance.now() < untilMs && this.#child.exitCode === null) {
      const isReady = await fetch(`${this.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return true;
      await sleep(50);
    }
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
