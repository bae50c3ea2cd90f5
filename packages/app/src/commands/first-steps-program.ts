/** `equipoise demo`, `init` and `validate`: names, flags and help. */
import { type Command, Option } from 'commander';
import { runCommand } from '../terminal/run-command.js';
import { targetFlag } from './k8s/k8s-program.js';
import { jsonFlag, policyFlag } from './shared-flags.js';

export function addFirstSteps(program: Command): void {
  program
    .command('demo')
    .description(
      'profile, plan, serve and adapt the example pipeline under a changing load, and compare with fixed plans',
    )
    .addOption(policyFlag('equipoise adapts the plan; all other policies serve a fixed plan'))
    .option(
      '--report <file>',
      'file for the HTML report; default: .equipoise/demo-report.html in the folder of the example',
    )
    .addOption(jsonFlag())
    .action((options) => runCommand(options, async () => (await import('./demo.js')).demo(options)));

  program
    .command('init')
    .argument('[folder]', 'folder for the files', 'my-pipeline')
    .description('write a small pipeline to start from, or one for your models')
    .option(
      '--from-onnx <files...>',
      'ONNX files (paths or npm:package/path): files with equal inputs and outputs become variants of one stage, other files the next stage',
    )
    .addOption(new Option('--python', 'begin with a stage in Python').conflicts(['fromOnnx', 'server']))
    .addOption(
      new Option(
        '--server <url>',
        'inference server (Triton, MLServer, KServe) whose models become the stages: http://host:port or grpc://host:port',
      ).conflicts(['fromOnnx', 'python']),
    )
    .option('--model <names...>', 'names of the models of --server; default: all models that the server lists as ready')
    .addOption(jsonFlag())
    .action((folder, options) =>
      runCommand(options, async () => (await import('./init/init.js')).init(folder, options)),
    );

  program
    .command('validate')
    .argument('<file>', 'pipeline file')
    .description('check a pipeline file and the files that it names, and list all problems')
    .addOption(
      new Option('--graph <format>', 'draw the stages and how requests pass through them').choices([
        'text',
        'mermaid',
        'svg',
      ]),
    )
    .option('--out <file>', 'write the drawing to this file')
    .addOption(targetFlag('also check what this engine of a cluster cannot do'))
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./validate.js')).validate(file, options)),
    );
}
