/** Lines that are suites of the tests. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atLeast, type Bar, bar, told } from '../data-plane/bar.js';
import type { Line } from './line.js';

/** `config` of the tier, its files, and variables that state larger amounts than in the tier. */
export interface Suite {
  readonly config: string;
  readonly files: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface SuiteLine extends Pick<Line, 'name' | 'claim' | 'limitMinutes'> {
  readonly suites: readonly Suite[];
}

/** The part of vitest's JSON report that is read. */
export interface SuiteReport {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export const suites: Readonly<Record<'stateFiles' | 'refusals', SuiteLine>> = {
  stateFiles: {
    name: 'state-files',
    claim:
      '100 truncated and 100 random state files, and 100 of both in a read-only folder and on a full disk: serves, names the fault, loses nothing',
    limitMinutes: 6.5,
    suites: [
      {
        config: 'vitest.full.config.ts',
        files: [
          'packages/app/src/compose/truncated-state.seeds.test.ts',
          'packages/app/src/compose/random-state.seeds.test.ts',
          'packages/app/src/compose/unwritable-state.full.test.ts',
        ],
        env: { EQUIPOISE_DAMAGED_FILES: '100' },
      },
      {
        config: 'vitest.config.ts',
        files: [
          'packages/runtime/src/store/sqlite-plan-store.test.ts',
          'packages/runtime/src/store/threaded-plan-store.test.ts',
        ],
      },
      {
        config: 'vitest.process.config.ts',
        files: [
          'packages/runtime/src/store/state-claim.process.test.ts',
          'packages/app/src/commands/serve-store.process.test.ts',
        ],
      },
    ],
  },
  refusals: {
    name: 'refusals',
    claim: 'small buffers, strict TLS, the admin port from a page of another origin in a real browser: refused',
    limitMinutes: 2,
    suites: [
      {
        config: 'vitest.full.config.ts',
        files: [
          'packages/runtime/src/admin/foreign-page.full.test.ts',
          'packages/runtime/src/net/backpressure.full.test.ts',
        ],
      },
      {
        config: 'vitest.config.ts',
        files: ['packages/runtime/src/net/tls.test.ts', 'packages/runtime/src/net/backpressure.test.ts'],
      },
    ],
  },
};

export function suiteLine({ name, claim, limitMinutes, suites: parts }: SuiteLine): Line {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-suites-'));
  const reportOf = (index: number): string => join(folder, `${name}-${index}.json`);
  return {
    ...{ name, claim, limitMinutes, needs: [] },
    commands: () =>
      parts.map(({ config, files, env = {} }, index) => ({
        env,
        program: process.execPath,
        args: [
          ...['node_modules/vitest/vitest.mjs', 'run', '--config', config],
          ...['--reporter=json', `--outputFile=${reportOf(index)}`, ...files],
        ],
      })),
    bars: () => {
      const files = parts.map((_, index) => reportOf(index)).filter(existsSync);
      const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as SuiteReport);
      return { bars: suiteBars(reports), isWhole: reports.length === parts.length };
    },
  };
}

/** A skipped test names the tool that it needs. */
export function suiteBars(reports: readonly SuiteReport[]): readonly Bar[] {
  const results = reports.flatMap(({ testResults }) => testResults);
  const tests = results.flatMap(({ assertionResults }) => assertionResults);
  const named = (status: string) => tests.filter((test) => test.status === status).map(({ fullName }) => fullName);
  const broken = results.filter((one) => one.status === 'failed' && one.assertionResults.length === 0);
  const failed = [...named('failed'), ...broken.map(({ name, message }) => `${name}: ${message}`)];
  const skipped = [...named('skipped'), ...named('pending')];
  return [
    bar(`failed tests: ${failed.join('; ') || 'none'}`, failed.length, 0, [0, 0]),
    atLeast(
      'passed tests',
      reports.reduce((sum, { numPassedTests }) => sum + numPassedTests, 0),
      0,
      1,
    ),
    told('skipped tests', skipped.length === 0 ? 'none' : skipped.join('; ')),
  ];
}
