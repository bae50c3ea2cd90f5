/** Lines that are sections of `bench:data-plane`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { atMost, type Bar } from '../data-plane/bar.js';
import type { OverheadFigures } from '../data-plane/overhead.js';
import { sections } from '../data-plane/sections.js';
import { isCurrent, type Line, type Need, NOT_MEASURED, program, script } from './line.js';

const RUN = 'benchmarks/data-plane/run.ts';
const RESULTS = new URL('../data-plane/results.json', import.meta.url);
/** Added p99 (ms) of one and of three stages on Node 20, when the bars of the present Node were stated. */
const OLDER_NODE_MS = { 1: 1.2, 3: 3.3 } as const;

const twoProcessors: Need = {
  name: 'two processors',
  missing: 'server and client need one each',
  isPresent: () => availableParallelism() >= 2,
};
const taskset = program('taskset', 'install util-linux');
const h2load = program('h2load', 'install the Debian package nghttp2-client');

interface SectionLine {
  readonly section: string;
  readonly claim: string;
  readonly limitMinutes: number;
  /** Default: the full amount of the section. */
  readonly amount?: readonly string[];
  readonly needs?: readonly Need[];
}

function sectionLine({ section, claim, limitMinutes, amount = [], needs = [] }: SectionLine): Line {
  return {
    ...{ name: section, claim, limitMinutes, needs },
    commands: () => [script(RUN, [section, ...amount])],
    bars: () => {
      const figures = currentFigures(section, process.version);
      return figures === undefined ? NOT_MEASURED : { bars: barsOf(section, figures), isWhole: true };
    },
  };
}

function currentFigures(section: string, version: string): unknown {
  if (!existsSync(RESULTS)) return undefined;
  const kept = JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, { made: string; figures: unknown }>;
  const found = kept[section];
  return found !== undefined && isCurrent(found.made, version) ? found.figures : undefined;
}

function barsOf(section: string, figures: unknown): readonly Bar[] {
  return sections.find(({ name }) => name === section)?.bars(figures as never) ?? [];
}

/** Added latency on another version of Node. Runs before `overhead`, whose results then replace these. */
function olderNodeLine(node: string | undefined): Line {
  const need: Need = {
    name: 'another version of Node',
    missing: 'state its path as --older-node',
    isPresent: () => node !== undefined,
  };
  return {
    name: 'overhead-older-node',
    claim: 'added p99 at 1,000 requests per second on Node 20, not worse than it was',
    limitMinutes: 4.5,
    needs: [need, twoProcessors, taskset],
    commands: () => (node === undefined ? [] : [script(RUN, ['overhead'], node)]),
    bars: () => {
      if (node === undefined) return NOT_MEASURED;
      const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
      const figures = currentFigures('overhead', version) as OverheadFigures | undefined;
      if (figures === undefined) return NOT_MEASURED;
      const bars = ([1, 3] as const).map((stages) =>
        atMost(
          `added p99 of stages (${stages}) on Node ${version}, ms`,
          figures.addedP99Ms[stages],
          2,
          OLDER_NODE_MS[stages],
        ),
      );
      return { bars, isWhole: true };
    },
  };
}

/** Lines in the order of the table, without those about attacks and state files. */
export const sectionLines = (
  olderNode: string | undefined,
): Readonly<Record<'poison' | 'changes' | 'speed', readonly Line[]>> => ({
  poison: [
    sectionLine({
      section: 'bombs',
      claim: 'one image bomb per second: other images are answered',
      limitMinutes: 2.5,
    }),
    sectionLine({
      section: 'hangs',
      claim: 'a stage that hangs on one input in a hundred, four replicas, 60 % load: only those inputs fail',
      limitMinutes: 10.5,
    }),
  ],
  changes: [
    sectionLine({
      section: 'plan-changes',
      claim: '500 random plans by the admin port under load: no request fails',
      limitMinutes: 2.5,
    }),
    sectionLine({
      section: 'stops',
      claim: 'SIGTERM 50 times under load: every accepted request is answered',
      limitMinutes: 3.5,
    }),
  ],
  speed: [
    olderNodeLine(olderNode),
    sectionLine({
      section: 'overhead',
      claim: 'added p99 at 1,000 requests per second, one and three stages, median of five rounds',
      limitMinutes: 4.5,
      needs: [twoProcessors, taskset],
    }),
    sectionLine({
      section: 'hops',
      claim: 'processor time of each further stage',
      limitMinutes: 3,
      amount: ['--minutes', '1.5'],
      needs: [twoProcessors, taskset, h2load],
    }),
    sectionLine({
      section: 'throughput',
      claim: 'requests per second of processor time ÷ those of a bare server of the same run',
      limitMinutes: 3.5,
      amount: ['--minutes', '2'],
      needs: [twoProcessors, taskset, h2load],
    }),
    sectionLine({
      section: 'overload-http',
      claim: 'five times the capacity over HTTP, with the client on its own core',
      limitMinutes: 3,
      amount: ['--minutes', '2'],
      needs: [twoProcessors, taskset, h2load],
    }),
  ],
});
