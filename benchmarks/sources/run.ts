/** `npm run bench:sources [-- SECONDS]`: two sources for ten minutes. Writes results.md. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { unmet } from '../data-plane/bar.js';
import { sourcesBars, sourcesReport } from './report.js';
import { serveSources } from './served-sources.js';

const durationS = Number(process.argv[2] ?? 600);
const question = { durationS, arrivalRps: 12, changeEveryS: 20, seed: 1 };
const figures = await serveSources(question);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const day = new Date().toISOString().slice(0, 10);
const madeOn = `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}; ${day}, commit ${commit}.`;
writeFileSync(new URL('results.md', import.meta.url), sourcesReport(figures, question, madeOn));
const missed = unmet(sourcesBars(figures, { isLong: true }));
process.stdout.write(`${missed.length === 0 ? 'all bars are met' : missed.join('\n')}; see results.md\n`);
process.exit(missed.length === 0 ? 0 : 1);
