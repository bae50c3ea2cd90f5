/** Serves a small pipeline with the compiled command line of a checkout and watches its ticks. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type TickFigures, type TickReport, tickFigures } from './tick-figures.js';

const PROBE = fileURLToPath(new URL('./tick-probe.mjs', import.meta.url));
/** The first ticks learn the load; later ones plan for it. */
const STEPS = 4;
const LIMIT_MS = 120_000;

/** Takes about a minute; the checkout has to be compiled. Undefined if no tick reached the solver in time. */
export async function measureTick(root: string): Promise<TickFigures | undefined> {
  const command = path.join(root, 'packages/app/bin/equipoise.js');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'equipoise-tick-'));
  const reports = path.join(folder, 'reports.jsonl');
  const run = (...args: string[]): void => {
    execFileSync(process.execPath, [command, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  try {
    run('init', '.');
    run('profile', 'pipeline.yaml', '--quick');
    await serveUntil(command, folder, reports, () => readReports(reports).filter(isStep).length >= STEPS);
    return tickFigures(readReports(reports));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function serveUntil(command: string, folder: string, reports: string, isDone: () => boolean): Promise<void> {
  const args = ['serve', 'pipeline.yaml', '--port', '0', '--no-admin-port', '--arrival-rps', '20'];
  const server = spawn(process.execPath, ['--import', PROBE, command, ...args], {
    cwd: folder,
    stdio: 'ignore',
    env: { ...process.env, EQUIPOISE_TICK_REPORTS: reports },
  });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const limitAtMs = Date.now() + LIMIT_MS;
  while (!isDone() && Date.now() < limitAtMs && server.exitCode === null) await sleep(200);
  server.kill();
  await exited;
}

function readReports(file: string): TickReport[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

function isStep({ kind }: TickReport): boolean {
  return kind === 'step';
}
