/**
 * `npm run bench:fidelity`: shelf-scan served, against its simulation. results.json keeps every finished run, so runs
 * can be split (`-- --requests N --runs N --minutes N`; `--anew` restarts). results.md has the table.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { combinations } from './combinations.js';
import { LoadProcess, ServerProcess } from './processes.js';
import { type FidelityResults, fidelityReport } from './report.js';
import { RunProgress } from './run-progress.js';
import { runSlices, WHOLE_ROUNDS } from './run-slices.js';

const PIPELINE = fileURLToPath(new URL('../../examples/shelf-scan/pipeline.yaml', import.meta.url));
const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
/** Page with the report between two marks. */
const PAGE = new URL('../../docs/explain/fidelity.md', import.meta.url);

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '3400' },
    runs: { type: 'string', default: '5' },
    minutes: { type: 'string', default: '60' },
    anew: { type: 'boolean', default: false },
  },
});

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}; ${day}, commit ${commit}`;
}

function withTable(page: string, text: string): string {
  return page.replace(
    /(<!-- measured -->\n)[\s\S]*(\n<!-- \/measured -->)/,
    (_, before, after) => `${before}\n${text}${after}`,
  );
}

function kept(): FidelityResults {
  const empty = { machine: machine(), slices: [] };
  return values.anew || !existsSync(RESULTS) ? empty : (JSON.parse(readFileSync(RESULTS, 'utf8')) as FidelityResults);
}

const loaded = await loadPipelineFile(PIPELINE);
if (loaded.kind === 'invalid') throw new Error(`${PIPELINE} is not valid`);
const { spec } = loaded;
const endAtMs = performance.now() + Number(values.minutes) * 60_000;
const requests = Number(values.requests);
let results = kept();
const isDone = (run: number, name: string) =>
  results.slices.some((slice) => slice.run === run && slice.combination === name);
const left = Array.from({ length: Number(values.runs) }, (_, i) => i + 1).flatMap((run) =>
  combinations.filter(({ name }) => !isDone(run, name)).map((combination) => ({ run, combination })),
);
const progress = new RunProgress(left.length);
const server = new ServerProcess();
const load = new LoadProcess();
for (const { run, combination } of left) {
  if (performance.now() + progress.expectedRunMs > endAtMs) break;
  const onStep = (step: string) => progress.step(`run ${run}, ${combination.name}: ${step}`);
  const slices = await runSlices({ spec, combination, run, requests, rounds: WHOLE_ROUNDS, server, load, onStep });
  results = { machine: machine(), slices: [...results.slices, ...slices] };
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`);
  progress.runDone();
}
server.end();
load.end();
const { text, met } = fidelityReport(results);
writeFileSync(REPORT, `# Served and simulated\n\n${text}`);
writeFileSync(PAGE, withTable(readFileSync(PAGE, 'utf8'), text));
process.stdout.write(text);
process.exitCode = met ? 0 : 1;
