/** One line of the benchmark: a claim, the commands that measure it within a time limit, and its bars. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import type { Bar } from '../data-plane/bar.js';

/** Something that a line needs on the machine. */
export interface Need {
  readonly name: string;
  readonly missing: string;
  readonly isPresent: () => boolean;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Additional variables. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Line {
  readonly name: string;
  readonly claim: string;
  readonly limitMinutes: number;
  readonly needs: readonly Need[];
  /** Commands for all that the line has not measured yet. */
  readonly commands: () => readonly Command[];
  readonly bars: () => LineBars;
}

export interface LineBars {
  readonly bars: readonly Bar[];
  /** False if a part was not measured; the next run measures it. */
  readonly isWhole: boolean;
}

export const NOT_MEASURED: LineBars = { bars: [], isWhole: false };

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();

/** Machine, load and commit of figures that are measured now. */
export function machine(): string {
  const load = loadavg()[0]?.toFixed(1);
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${cpus()[0]?.model}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

/** True if the machine text of kept figures names this commit and this version of Node. */
export const isCurrent = (made: string, version: string = process.version): boolean =>
  made.includes(`Node ${version},`) && made.endsWith(`commit ${commit}`);

/** A program of this repository, run by `node`. */
export const script = (file: string, args: readonly string[], node: string = process.execPath): Command => ({
  program: node,
  args: ['--import', 'tsx', file, ...args],
});

/** A program that prints its version. */
export const program = (name: string, missing: string): Need => ({
  ...{ name, missing },
  isPresent: () => spawnSync(name, ['--version']).error === undefined,
});
