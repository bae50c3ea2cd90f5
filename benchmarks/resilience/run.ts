/**
 * `npm run bench:resilience`: all that shows that no client can stop the data plane, in order, each line within its
 * own time limit. Names select lines. Lines that are complete for this commit and Node are kept; `--again` measures
 * them again. `--older-node PATH` adds the latency on that Node. `list` prints the lines with their needs; `report`
 * only writes the page.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { attackLines } from './attack-lines.js';
import { isCurrent, type Line, type LineBars, machine } from './line.js';
import { type LineResult, type Results, reportPage } from './report.js';
import { runWithin } from './run-within.js';
import { sectionLines } from './section-lines.js';
import { suiteLine, suites } from './suite-lines.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const MINUTE_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { again: { type: 'boolean', default: false }, 'older-node': { type: 'string' } },
});
const { poison, changes, speed } = sectionLines(values['older-node']);
const lines: readonly Line[] = [
  ...attackLines,
  ...poison,
  ...changes,
  suiteLine(suites.stateFiles),
  ...speed,
  suiteLine(suites.refusals),
];
const words = ['list', 'report'];
const unknown = positionals.filter((word) => !words.includes(word) && !lines.some(({ name }) => name === word));
if (unknown.length > 0) throw new Error(`unknown line ${unknown.join(', ')}`);
if (positionals.includes('list')) process.stdout.write(listText());
else {
  if (!positionals.includes('report')) for (const line of lines) await measure(line);
  const text = reportPage(lines, kept());
  writeFileSync(REPORT, text);
  process.stdout.write(text);
  process.exitCode = text.includes('**') ? 1 : 0;
}

async function measure(line: Line): Promise<void> {
  const { name, needs, limitMinutes } = line;
  if (positionals.length > 0 && !positionals.includes(name)) return;
  const before = kept()[name];
  if (!values.again && before?.isWhole === true && isCurrent(before.made)) return;
  const missing = needs.filter(({ isPresent }) => !isPresent());
  const made = machine();
  if (missing.length > 0) {
    const texts = missing.map((need) => `${need.name}: ${need.missing}`);
    keep(name, { ...{ made, minutes: 0, isWhole: false, bars: [] }, problem: `skipped, needs ${texts.join(', ')}` });
    return;
  }
  process.stderr.write(`\n${name}: at most ${limitMinutes} minutes\n`);
  const startedAtMs = performance.now();
  let isInTime = true;
  for (const command of line.commands()) {
    const leftMs = limitMinutes * MINUTE_MS - (performance.now() - startedAtMs);
    isInTime &&= await runWithin(command, leftMs);
  }
  const minutes = (performance.now() - startedAtMs) / MINUTE_MS;
  keep(name, { ...{ made, minutes }, ...line.bars(), ...problemOf(line.bars(), isInTime) });
}

function problemOf({ isWhole }: LineBars, isInTime: boolean): Pick<LineResult, 'problem'> {
  if (!isInTime) return { problem: 'out of time' };
  return isWhole ? {} : { problem: 'its command failed' };
}

function listText(): string {
  const total = lines.reduce((sum, { limitMinutes }) => sum + limitMinutes, 0);
  const texts = lines.map(({ name, claim, limitMinutes, needs }) => {
    const needed = needs.map((need) => `${need.name}${need.isPresent() ? '' : ` (MISSING: ${need.missing})`}`);
    return `${name}, at most ${limitMinutes} min: ${claim}\n    needs ${needed.join(', ') || 'nothing more'}\n`;
  });
  return `${texts.join('')}At most ${total} minutes in all.\n`;
}

function kept(): Results {
  return existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Results) : {};
}

function keep(name: string, result: LineResult): void {
  writeFileSync(RESULTS, `${JSON.stringify({ ...kept(), [name]: result }, undefined, 1)}\n`);
  writeFileSync(REPORT, reportPage(lines, kept()));
  const missed = result.bars.filter(({ met }) => !met).length;
  process.stderr.write(`${name}: ${result.problem ?? (missed === 0 ? 'met' : `${missed} bars missed`)}\n`);
}
