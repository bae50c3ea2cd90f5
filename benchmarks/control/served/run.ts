/**
 * `npm run bench:control-served`: steps, random changes and wrong profiles on pipelines that serve in this process.
 * Arguments name sections. Finished pieces are kept; `--anew` repeats the named sections, `--pieces 2` stops after two
 * of their pieces. The machine should be quiet.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { serveBurst } from './burst.js';
import { realChanges, syntheticChanges } from './changes-questions.js';
import { serveChanges } from './random-changes.js';
import { type SectionName, type ServedResults, sectionNames, servedBars, servedReport } from './report.js';
import { serveWrongProfile } from './wrong-profile.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const STEPS = 20;
const STEPS_AT_A_TIME = 2;
const SYNTHETIC_CHANGES = 1000;
const REAL_CHANGES = 50;
const FACTORS = [1, 0.5, 1.5, 2];
const MODES = ['min-cost', 'max-accuracy'] as const;
const WRONG_PROFILE_S = 330;

/** Next piece of a section, added to the kept results; undefined if the section is complete. */
type Piece = (kept: ServedResults) => Promise<Partial<ServedResults>> | undefined;

const pieces: Readonly<Record<SectionName, Piece>> = {
  burst: ({ burst = [] }) => (burst.length < STEPS ? moreSteps(burst) : undefined),
  synthetic: ({ synthetic }) => (synthetic === undefined ? changed('synthetic') : undefined),
  real: ({ real }) => (real === undefined ? changed('real') : undefined),
  wrongProfile: ({ wrongProfile = [] }) => {
    const mode = MODES[wrongProfile.length / FACTORS.length];
    return mode === undefined ? undefined : moreFactors(wrongProfile, mode);
  },
};

async function moreSteps(burst: NonNullable<ServedResults['burst']>): Promise<Partial<ServedResults>> {
  const seeds = Array.from({ length: Math.min(STEPS_AT_A_TIME, STEPS - burst.length) }, (_, i) => burst.length + 1 + i);
  return { burst: [...burst, ...(await Promise.all(seeds.map(serveBurst)))] };
}

async function changed(section: 'synthetic' | 'real'): Promise<Partial<ServedResults>> {
  const question = section === 'real' ? await realChanges(REAL_CHANGES) : syntheticChanges(SYNTHETIC_CHANGES);
  return { [section]: await serveChanges(question) };
}

async function moreFactors(
  wrongProfile: NonNullable<ServedResults['wrongProfile']>,
  mode: (typeof MODES)[number],
): Promise<Partial<ServedResults>> {
  const runs = FACTORS.map((factor) => serveWrongProfile(mode, factor, { durationS: WRONG_PROFILE_S, seed: 1 }));
  return { wrongProfile: [...wrongProfile, ...(await Promise.all(runs))] };
}

function madeOn(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}; ${day}, commit ${commit}.`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { anew: { type: 'boolean', default: false }, pieces: { type: 'string' } },
});
const wanted = sectionNames.filter((name) => positionals.length === 0 || positionals.includes(name));
const unknown = positionals.filter((name) => !sectionNames.some((each) => each === name));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; there are ${sectionNames.join(', ')}`);
/** Results so far, read again because runs of other sections may write them at the same time. */
const kept = (): ServedResults =>
  existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as ServedResults) : { made: {} };

function keep(name: SectionName, done: Partial<ServedResults>): ServedResults {
  const before = kept();
  const results: ServedResults = { ...before, ...done, made: { ...before.made, [name]: madeOn() } };
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(REPORT, servedReport(results));
  process.stderr.write(`${name}: ${JSON.stringify(results[name]).slice(-600)}\n`);
  return results;
}

let left = Number(values.pieces ?? Number.POSITIVE_INFINITY);
for (const name of wanted) {
  let results: ServedResults = { ...kept(), ...(values.anew && { [name]: undefined }) };
  while (left > 0) {
    const piece = pieces[name](results);
    if (piece === undefined) break;
    results = keep(name, await piece);
    left -= 1;
  }
}
const bars = servedBars(kept());
process.stdout.write(`${bars.filter(({ met }) => met).length} of ${bars.length} bars are met; see results.md\n`);
process.exit(bars.every(({ met }) => met) ? 0 : 1);
