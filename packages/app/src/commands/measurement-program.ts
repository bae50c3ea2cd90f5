/** `equipoise profile`, `calibrate` and `evaluate`: names, flags and help. */
import type { Command } from 'commander';
import { count, fraction, positive, rateRange, seed } from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import { jsonFlag } from './shared-flags.js';

export function addMeasurements(program: Command): void {
  program
    .command('profile')
    .argument('<file>', 'pipeline file')
    .description('measure the service times of all variants on this machine')
    .option('--quick', 'measure each point for less time')
    .option('--stage <name>', 'measure this stage only')
    .option('--out <file>', 'also write the profile to this file')
    .option('--report <file>', 'write an HTML report with plots to this file')
    .option('--force', 'measure again, even if stored measurements are valid')
    .addOption(jsonFlag())
    .action((file, options) => runCommand(options, async () => (await import('./profile.js')).profile(file, options)));

  program
    .command('calibrate')
    .argument('<file>', 'pipeline file')
    .description(
      'serve the pipeline at a few loads on loopback, tell how far estimate and simulation are off, and correct the profile',
    )
    .option('--plan <file>', 'calibrate this plan, as `equipoise plan --json` prints it; default: every variant once')
    .option('--duration-s <n>', 'seconds of load for each plan', positive, 60)
    .option('--dry-run', 'store nothing')
    .option('--forget', 'remove the stored corrections; measure nothing')
    .option('--seed <n>', 'seed of the arrivals', seed, 1)
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./calibrate.js')).calibrate(file, options)),
    );

  program
    .command('evaluate')
    .argument('<file>', 'pipeline file')
    .description(
      'measure the end-to-end accuracy of the combinations of variants: all (at most 64), or by a search that stops what no plan would choose (at most 1024)',
    )
    .option('--data <folder>', 'folder of labelled samples; default: evaluation.data of the pipeline file')
    .option(
      '--out <file>',
      'write the accuracy table to this file, for accuracyTable of the pipeline file; resumes an unfinished evaluation',
    )
    .option('--report <file>', 'write an HTML report with plots to this file')
    .option('--samples <n>', 'use only the first n samples', count)
    .option('--budget <runs>', 'search; end after this number of stage runs (one item through one stage)', count)
    .option('--confidence <f>', 'search; certainty at which two combinations stop competing (default: 0.98)', fraction)
    .option('--arrival-rps <n[-m]>', 'search for plans at these arrival rates only, such as 20 or 5-50', rateRange)
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./evaluate.js')).evaluate(file, options)),
    );
}
