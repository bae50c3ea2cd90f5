import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';

/** Machine and date for the head of a report. */
export function madeOn(): string {
  const [first] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${first?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}
