/** `npm run bench:canary [-- RUNS]`: simulated roll-outs of good and bad variants, 200 seeds each. Writes results.md. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { measureCanary, settings, variants } from './cases.js';

const runs = Number(process.argv[2] ?? 200);
const rows = settings.flatMap(([load, setting]) =>
  variants.map(([name, variant]) => {
    const figures = measureCanary(setting, variant, runs);
    const row = `| ${load} | ${name} | ${figures.everywhere} | ${figures.rolledBack} | ${figures.medianVerdictS.toFixed(1)} | ${figures.slowestVerdictS.toFixed(1)} | ${(100 * figures.extraFraction).toFixed(2)} |`;
    process.stderr.write(`${row}\n`);
    return row;
  }),
);
const page = `# Canaries

${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}. ${runs} seeds each. Verdicts count from the first request of the new variant. Extra losses are late, dropped or failed requests until
60 s after the verdict, beyond those with a good variant.

| load | new variant | reach all requests | rolled back | median verdict, s | slowest verdict, s | extra losses, % of all requests |
|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
writeFileSync(new URL('results.md', import.meta.url), page);
