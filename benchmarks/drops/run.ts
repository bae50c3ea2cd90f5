/**
 * `npm run bench:drops [-- INSTANCES [COMMIT]]`: the drop rule on random planned pipelines (default 200). Seeds come from
 * a commit hash, by default that of HEAD. Exit code 1 if an instance misses a bar.
 */
import { execFileSync } from 'node:child_process';
import { bars, type DropCheck, dropCheck, firstSeedOf, holdsAtPlannedRate, holdsInOverload } from './drop-check.js';

const [instances = '200', commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()] =
  process.argv.slice(2);
const print = (line: string) => process.stdout.write(`${line}\n`);
const found: DropCheck[] = [];
let tried = 0;
while (found.length < Number(instances)) {
  const check = dropCheck(firstSeedOf(commit) + tried++);
  if (check === undefined) continue;
  found.push(check);
  if (holdsAtPlannedRate(check) && holdsInOverload(check)) continue;
  const { plan, ...figures } = check;
  const stages = Object.entries(plan).map(([id, [of]]) => `${id} ${of?.replicas} × b${of?.maxBatchSize}`);
  print(`missed: ${JSON.stringify(figures)} ${stages.join(', ')}`);
}
const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
const missed = found.filter((check) => !holdsAtPlannedRate(check) || !holdsInOverload(check)).length;
const ascending = (of: (check: DropCheck) => number) => found.map(of).sort((a, b) => a - b);
const lost = ascending(({ withDrops, withoutDrops }) => withoutDrops - withDrops);
const goodput = ascending((check) => check.goodput);
const atTwiceCapacity = ascending(({ goodputAtTwiceCapacity }) => goodputAtTwiceCapacity);
const spread = (values: readonly number[]) =>
  `at least ${percent(values[0] as number)}, ${percent(values[values.length >> 1] as number)} in the median`;
print(`
commit ${commit.slice(0, 8)}: ${found.length} planned pipelines of ${tried}, ${missed} missed

| figure | measured | bar |
|---|---|---|
| attainment lost by drops at the planned rate | at most ${percent(lost.at(-1) as number)} | ≤ ${percent(bars.lost)} |
| rate in time at twice the planned rate ÷ capacity within the SLO | ${spread(goodput)} | ≥ ${percent(bars.goodput)} |
| the same at twice the capacity | ${spread(atTwiceCapacity)} | none |`);
process.exitCode = missed > 0 ? 1 : 0;
