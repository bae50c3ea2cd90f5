/**
 * `npm run bench:estimate [-- --renew]`: errors of the latency estimate against simulation, with bars. Writes
 * results.json and results.md. `--renew` simulates the references again.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { ErrorSummary } from './error-summary.js';
import { tailClasses } from './heavy-tails.js';
import { referencesOf, type Samples } from './kept-references.js';
import { type Figures, measure } from './measure.js';
import { measureTails, type TailFigures } from './tail-figures.js';
import { type TailSamples, tailReferencesOf } from './tail-references.js';

const SAMPLES: Samples = {
  stages: { count: 300, seed: 20_261 },
  shares: { count: 50, seed: 20_262 },
  pipelines: { count: 200, seed: 20_263 },
};

const TAIL_SAMPLES: TailSamples = {
  stages: { count: 150, seed: 20_271 },
  shares: { count: 45, seed: 20_272 },
  chains: { count: 120, seed: 20_273 },
};

interface Bar {
  readonly name: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

function bars(figures: Figures, tails: TailFigures): readonly Bar[] {
  const { poisson, bursty } = figures.stages;
  const { refined } = figures.shares;
  const { all } = figures.pipelines;
  const bar = (name: string, value: number, limit: number, unit: string): Bar => ({
    name,
    figure: `${Math.round(10 * value) / 10} ${unit}`,
    bar: limit < 0 ? `≥ ${limit} ${unit}` : `≤ ${limit} ${unit}`,
    met: limit < 0 ? value >= limit : value <= limit,
  });
  return [
    bar('one stage, Poisson: median error of the p99', poisson.medianPercent, 5, '%'),
    bar('one stage, Poisson: p90 of the error', poisson.p90Percent, 15, '%'),
    bar('one stage, Poisson: most optimistic up to load factor 0.9', poisson.worstOptimisticPercent, -20, '%'),
    bar('one stage, bursty: median error', bursty.medianPercent, 15, '%'),
    bar('one stage, bursty: most optimistic', bursty.worstOptimisticAnyLoadPercent, -30, '%'),
    bar('one stage: time of an estimate, Poisson', figures.microseconds.poisson, 20, 'µs'),
    bar('one stage: time of an estimate, bursty', figures.microseconds.bursty, 20, 'µs'),
    bar('CPU shares: median error', refined.medianPercent, 15, '%'),
    bar('CPU shares: most optimistic up to load factor 0.9', refined.worstOptimisticPercent, -20, '%'),
    bar('graph: median error', all.medianPercent, 15, '%'),
    bar('graph: cases optimistic by more than 25 %', all.optimisticByOver25Percent, 5, '%'),
    ...(['stages', 'chains'] as const).flatMap((kind) => {
      const summary = tails[kind]['2–3'];
      return [
        bar(`${kind}, p99 2–3 times the mean: median error`, summary.medianPercent, 8, '%'),
        bar(`${kind}, p99 2–3 times the mean: most optimistic`, summary.worstOptimisticAnyLoadPercent, -20, '%'),
        bar(`${kind}, p99 2–3 times the mean: most pessimistic`, summary.worstPessimisticPercent, 60, '%'),
      ];
    }),
  ];
}

function row(name: string, s: ErrorSummary): string {
  const cells = [
    s.cases,
    s.medianPercent,
    s.p90Percent,
    s.worstOptimisticPercent,
    s.worstOptimisticAnyLoadPercent,
    s.worstPessimisticPercent,
    s.optimisticByOver25Percent,
  ];
  return `| ${name} | ${cells.join(' | ')} |`;
}

function machine(): string {
  const [first] = cpus();
  return `${cpus().length} cores, ${first?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}`;
}

function report(figures: Figures, tails: TailFigures, made: string): string {
  const barRows = bars(figures, tails).map(
    (b) => `| ${b.name} | ${b.figure} | ${b.bar} | ${b.met ? 'met' : '**missed**'} |`,
  );
  const { stages, shares, pipelines } = figures;
  return `# Latency estimate against simulation

${made}

| claim | measured | bar | |
|---|---|---|---|
${barRows.join('\n')}

Errors of the p99 in percent of the simulated one; negative is optimistic.

| cases | number | median | p90 | most optimistic, load ≤ 0.9 | any load | most pessimistic | share optimistic by > 25 % |
|---|---|---|---|---|---|---|---|
${row('one stage, Poisson', stages.poisson)}
${row('one stage, gamma gaps with CV 2', stages.gamma)}
${row('one stage, rate that switches (MMPP)', stages.mmpp)}
${row('CPU shares, refined by simulation', shares.refined)}
${row('CPU shares, bound from the table', shares.bound)}
${row('chains of 2–4 stages', pipelines.chain)}
${row('fan-out with join', pipelines['fan-out'])}
${row('forks', pipelines.fork)}
${row('all pipelines', pipelines.all)}
${row('all pipelines: sum of stage p99s', pipelines.sumOfStageP99s)}
${row('all pipelines: sum of tails', pipelines.sumOfTails)}

Service times with heavy tails, by p99 ÷ mean; errors over the percentiles 90, 95, 99 and 99.9.

| cases | number | median | p90 | most optimistic, load ≤ 0.9 | any load | most pessimistic | share optimistic by > 25 % |
|---|---|---|---|---|---|---|---|
${tailClasses.map((tail) => row(`one stage, ${tail}`, tails.stages[tail])).join('\n')}
${tailClasses.map((tail) => row(`CPU shares, ${tail}`, tails.shares[tail])).join('\n')}
${tailClasses.map((tail) => row(`chains of 1–5 stages, ${tail}`, tails.chains[tail])).join('\n')}

A refined estimate of a CPU share takes ${figures.shareMilliseconds.toFixed(1)} ms the first time, one of a pipeline ${figures.pipelineMilliseconds.toFixed(1)} ms.
References are simulated until the 95 % interval of the p99 is within ±2 %. Where 200 million requests are not enough and the rate exceeds the
capacity at times, the runs have a fluid queue as control variate, whose law is known (fluid-control.ts). Of ${SAMPLES.stages.count + SAMPLES.shares.count} stages ${figures.referencesBeyond2Percent} have a wider interval;
the widest is ±${figures.worstReferenceHalfWidthPercent} %.
Pipelines are run through the full simulator with 300,000 requests: 95 % interval of the p99 ±${figures.pipelineHalfWidthPercent.median} % in the median, ±${figures.pipelineHalfWidthPercent.worst} % at worst. Burstiness is given to the estimate
as its long-run value. The heavy-tailed cases have a 95 % interval of ±${tails.halfWidthPercents[0]} % (p99) and ±${tails.halfWidthPercents[1]} % (p99.9) in the median. random-stages.ts,
random-pipelines.ts and heavy-tails.ts say how the samples are drawn; their seeds were not used to tune the estimate.
`;
}

const references = referencesOf(SAMPLES, process.argv.includes('--renew'));
const figures = measure(references);
const tails = measureTails(tailReferencesOf(TAIL_SAMPLES, process.argv.includes('--renew')));
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const made = `${machine()}; ${new Date().toISOString().slice(0, 10)}, commit ${commit}.`;
const text = report(figures, tails, made);
writeFileSync(
  new URL('results.json', import.meta.url),
  `${JSON.stringify({ made, samples: SAMPLES, ...figures, tailSamples: TAIL_SAMPLES, tails }, null, 2)}\n`,
);
writeFileSync(new URL('results.md', import.meta.url), text);
process.stdout.write(`\n${text}`);
process.exitCode = bars(figures, tails).every((bar) => bar.met) ? 0 : 1;
