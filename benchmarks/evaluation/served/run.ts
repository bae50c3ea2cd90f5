/**
 * `npm run bench:served-plans [-- NAME]`: for each case (`cases.ts`), or for those whose file names contain NAME, serves
 * the cheapest plans with and without a cascade or an ensemble and compares accuracy, cost, shares and latency. Profiles
 * both pipelines first, unless that was done. With all cases, writes served-plans.md.
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { type ServedCase, servedCases } from './cases.js';
import { measurePair } from './measure.js';
import { PlanServer, profilePipeline } from './plan-server.js';
import { type CaseResult, servedPage } from './report.js';

const [wanted = ''] = process.argv.slice(2);

async function runCase(of: ServedCase): Promise<CaseResult> {
  const { plain, combined, arrivalRps, accuracyFloor } = of;
  for (const file of [plain, combined]) profilePipeline(file);
  const servers: PlanServer[] = [];
  try {
    for (const file of [plain, combined]) servers.push(await PlanServer.start({ file, arrivalRps, accuracyFloor }));
    const [first, second] = servers as [PlanServer, PlanServer];
    const before = loadavg()[0] ?? 0;
    const pair = await measurePair(first, second, of);
    return { of, pair, loadAverages: [before, loadavg()[0] ?? 0] };
  } finally {
    for (const server of servers) await server.stop();
  }
}

const results: CaseResult[] = [];
for (const of of servedCases.filter(({ combined }) => combined.includes(wanted))) results.push(await runCase(of));
const page = servedPage(results);
if (wanted === '') writeFileSync(new URL('../served-plans.md', import.meta.url), page);
process.stdout.write(page);
