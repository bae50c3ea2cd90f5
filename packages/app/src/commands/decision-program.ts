/** `equipoise explain`, `why`, `report` and `replay`: names, flags and help. */
import { type Command, Option } from 'commander';
import { count, durationMs, instant } from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import { jsonFlag } from './shared-flags.js';

const pipelineFlag = () => new Option('--pipeline <name>', 'only this pipeline, if the log has several');

export function addDecisions(program: Command): void {
  program
    .command('explain')
    .argument('[decision]', 'number of the decision; default: the newest', count)
    .description('show what the control loop observed, chose and rejected in a decision, and the outcome')
    .option('--log <file>', 'state file of the server, or an exported log', '.equipoise/state.db')
    .addOption(pipelineFlag())
    .addOption(jsonFlag())
    .action((decision, options) =>
      runCommand(options, async () => (await import('./explain.js')).explain(decision, options)),
    );

  program
    .command('why')
    .argument('[pipeline]', 'name of the pipeline; default: the only one of the server')
    .description(
      'find out why requests were dropped, late or failed: cause, stage, evidence, and what would have helped; exit code 1 if the SLO was missed',
    )
    .option('--admin <url>', 'admin port of the server', 'http://127.0.0.1:8081')
    .option('--admin-token-file <file>', 'send the bearer token in this file')
    .option(
      '--from <time>',
      'start of the window, such as 2026-03-01T12:00:00Z; default: ten minutes before its end',
      instant,
    )
    .option('--to <time>', 'end of the window; default: now', instant)
    .option('--last <duration>', 'length of the window, such as 90s, 10m or 1h', durationMs)
    .addOption(jsonFlag())
    .action((pipeline, options) => runCommand(options, async () => (await import('./why.js')).why(pipeline, options)));

  program
    .command('report')
    .argument(
      '[source]',
      'state file of a server, an exported log, or a run saved with --save; default: .equipoise/state.db',
    )
    .description('write a page about a run: load, latencies, drops, stages and every change of the plan over time')
    .option('--admin <url>', 'read the last hour from the admin port of this server, such as http://127.0.0.1:8081')
    .option('--admin-token-file <file>', 'send the bearer token in this file')
    .addOption(pipelineFlag())
    .option('--from <time>', 'start of the window, such as 2026-03-01T12:00:00Z; default: all', instant)
    .option('--to <time>', 'end of the window; default: now', instant)
    .option('--last <duration>', 'length of the window, such as 90s, 10m or 1h', durationMs)
    .option('--out <file>', 'file of the page', 'report.html')
    .option('--save <file>', 'with --admin: also save the run to this file, for a later report')
    .option('--plots <folder>', 'also write each plot to this folder, as SVG')
    .addOption(jsonFlag())
    .action((source, options) =>
      runCommand(options, async () => (await import('./report.js')).report(source, options)),
    );

  program
    .command('replay')
    .argument('<log>', 'state file of a server (.equipoise/state.db), or an exported log')
    .description('repeat the decisions of a log; the same code makes the same decisions')
    .option('--newest <n>', 'only the newest n decisions of each pipeline', count)
    .option('--out <file>', 'export the log to this file as JSON lines')
    .addOption(pipelineFlag())
    .addOption(jsonFlag())
    .action((log, options) => runCommand(options, async () => (await import('./replay.js')).replay(log, options)));
}
