/**
 * `npm run bench:canary [-- RUNS]`: simulates roll-outs of good and bad variants, 200 seeds each. Also simulates a
 * control loop that switches variants, with a fortieth of the seeds. Writes results.md.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { measureSetting, settings, variants } from './cases.js';
import { measureTrial, trialCases } from './trial.js';

const runs = Number(process.argv[2] ?? 200);
const percent = (fraction: number) => (100 * fraction).toFixed(2);
const rows = settings.flatMap(([load, setting]) => {
  const figures = measureSetting(setting, runs);
  return figures.map(({ everywhere, rolledBack, medianVerdictS, slowestVerdictS, extraFraction, lostFraction }, i) => {
    const verdicts = `${everywhere} | ${rolledBack} | ${medianVerdictS.toFixed(1)} | ${slowestVerdictS.toFixed(1)}`;
    const row = `| ${load} | ${variants[i]?.[0]} | ${percent(lostFraction)} | ${verdicts} | ${percent(extraFraction)} |`;
    process.stderr.write(`${row}\n`);
    return row;
  });
});
const loopRuns = Math.max(1, Math.round(runs / 40));
const loopRows = trialCases.map((tried) => {
  const { switched, byCanary, byTrial, byPlan, medianS, lostFraction } = measureTrial(tried, loopRuns);
  const ended = `${byCanary} | ${byTrial} | ${byPlan} | ${Number.isFinite(medianS) ? medianS.toFixed(1) : '–'}`;
  const row = `| ${tried.slowness} × | ${tried.canary ? 'on' : 'off'} | ${switched} | ${ended} | ${percent(lostFraction)} |`;
  process.stderr.write(`${row}\n`);
  return row;
});
const page = `# Canaries

${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}. ${runs} seeds each. Verdicts count from the first request of the new variant. Extra losses are late, dropped or failed requests
until 60 s after the verdict, beyond those with a good variant. The SLO allows 1 % of losses, 5 % at the 95th percentile.

| load | new variant | lost without a canary, % | reach all requests | rolled back | median verdict, s | slowest verdict, s | extra losses, % of all requests |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

## Behind the canary

A control loop at 50 rps in batches switches to a variant whose profile is 20 % faster than the running one, ${loopRuns} seeds each. Its true times are a multiple of that profile. The
switch ends by the canary, by the trial of the error budget, or by a later plan with corrected service times. The time counts from the decision, losses over the 90 s after it.

| true times | canary | switched | ended by the canary | by the trial | by a plan | median end, s | lost, % |
|---|---|---|---|---|---|---|---|
${loopRows.join('\n')}
`;
writeFileSync(new URL('results.md', import.meta.url), page);
