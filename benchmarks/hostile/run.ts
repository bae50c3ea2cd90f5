/**
 * `npm run bench:hostile`: each attack of the corpus alone, then all attacks on a server together. Names select attacks
 * (`json`, `http1/slow-heads`, `together`, `together-plain`); `--seconds N` sets the time of one attack, `--together N`
 * that of all together, `--left N` the wait for memory. results.json keeps all other results; `report` only writes the
 * page.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { GoodClients } from './good-clients.js';
import { type Results, reportPage } from './report.js';
import { type ServedPipeline, servePipeline } from './served-pipeline.js';
import { BARS, loadAttacks, missedBars, type NamedAttack, tryAttacks } from './trial.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const ARRIVAL_RPS = 20;
/** Long enough that the young generation has its full size. Else its growth would count as memory of an attack. */
const WARM_UP_RPS = 100;
const WARM_UP_MS = 100_000;

process.once('SIGTERM', () => process.exit(1));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    together: { type: 'string', default: '600' },
    left: { type: 'string', default: '60' },
  },
});
const attacks = await loadAttacks();
const isNamed = (name: string): boolean =>
  positionals.length === 0 || positionals.some((each) => name === each || name.startsWith(`${each}/`));
if (!positionals.includes('report')) for (const isSecure of [false, true]) await measure(isSecure);
const text = reportPage(kept(), attacks);
writeFileSync(REPORT, text);
process.stdout.write(text);
process.exit(text.includes('**missed**') ? 1 : 0);

async function measure(isSecure: boolean): Promise<void> {
  const all = attacks.filter(({ attack }) => (attack.server === 'secure') === isSecure);
  const alone = all.filter(({ name }) => isNamed(name));
  const together = `together-${isSecure ? 'secure' : 'plain'}`;
  const isTogether = isNamed('together') || isNamed(together);
  if (alone.length === 0 && !isTogether) return;
  const seconds = Number(values.seconds);
  let server = await start(isSecure);
  await tryAndKeep(`nothing-${isSecure ? 'secure' : 'plain'}`, [], server, seconds, BARS.goodFraction);
  for (const each of alone) {
    if (await tryAndKeep(each.name, [each], server, seconds, BARS.goodFraction)) continue;
    await server.stop();
    server = await start(isSecure);
  }
  if (isTogether) await tryAndKeep(together, all, server, Number(values.together), BARS.goodTogetherFraction);
  await server.stop();
}

/** Whether the server can be attacked next: it still runs, and the attack left no memory in it. */
async function tryAndKeep(
  name: string,
  tried: readonly NamedAttack[],
  server: ServedPipeline,
  seconds: number,
  goodFraction: number,
): Promise<boolean> {
  const good = new GoodClients(server, { arrivalRps: ARRIVAL_RPS });
  const figures = await tryAttacks(tried, server, good, { seconds, leftWithinMs: 1000 * Number(values.left) });
  await good.stop();
  const lives = server.isRunning();
  const missed = [...(lives ? [] : ['the server ended']), ...missedBars(figures, goodFraction)];
  process.stderr.write(`${name}: ${missed.join(', ') || 'met'}\n`);
  keep(name, { made: machine(), seconds, missed, figures });
  if (!lives) process.stderr.write(`${server.log.slice(-20).join('\n')}\n`);
  return lives && figures.leftMib <= BARS.leftMib;
}

async function start(isSecure: boolean): Promise<ServedPipeline> {
  const server = await servePipeline({ isSecure });
  const good = new GoodClients(server, { arrivalRps: WARM_UP_RPS });
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  await good.stop();
  return server;
}

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  const memory = `${(totalmem() / 1024 ** 3).toFixed(0)} GiB`;
  const load = loadavg()[0]?.toFixed(1);
  return `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, ${memory}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

function kept(): Results {
  return existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Results) : {};
}

function keep(name: string, result: Results[string]): void {
  const text = JSON.stringify({ ...kept(), [name]: result }, undefined, 1);
  writeFileSync(RESULTS, `${text}\n`);
}
