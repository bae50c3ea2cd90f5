/** Command line. Commands are imported only when they run, so that help is fast. */
import { Argument, type Command, Help, Option } from 'commander';
import { addKubernetes, targetFlag } from './commands/k8s/k8s-program.js';
import { addOperator } from './commands/operator-program.js';
import { platformNames } from './experiment/platform.js';
import { CheckedCommand } from './terminal/checked-command.js';
import {
  cores,
  count,
  durationMs,
  fraction,
  gapMs,
  instant,
  namespace,
  nodeCores,
  notNegative,
  port,
  positive,
  positiveRate,
  rate,
  rateRange,
  routerCount,
  routers,
  runCount,
  seed,
  serviceFactor,
  sourceBehaviors,
  sourcePaths,
  timeoutMs,
  traceSample,
  weights,
} from './terminal/flag-values.js';
import { runCommand } from './terminal/run-command.js';
import { UsageError } from './terminal/usage-error.js';
import { VERSION } from './version.js';

/** Names of policies, the default first. */
export const policyNames = [
  'equipoise',
  'ipa',
  'fa2-low',
  'fa2-high',
  'rim',
  'static-cheapest',
  'static-best',
] as const;

const MIB = 1024 ** 2;

const jsonFlag = () => new Option('--json', 'print one JSON document on stdout; progress and logs go to stderr');
const profileScaleFlag = () =>
  new Option(
    '--profile-scale <f>',
    'use cached profiles of another machine, with their times multiplied by this factor (time here ÷ time there)',
  ).argParser(positive);
const serviceFactorFlag = () =>
  new Option(
    '--service-factor <f>',
    'plans meet the SLO even if all service times are this factor times the profiled ones; overrides robustness of the file',
  ).argParser(serviceFactor);
const cpuQuotaFlag = () =>
  new Option(
    '--cpu-quota',
    "replicas with less than one core get it by quotas of the kernel, as pods with a CPU limit do; default: by the server's CPU shares, unless --target is given",
  );
const unevenFlag = () =>
  new Option(
    '--uneven <f>',
    'with several routers: how much more load than the mean the router with the most load gets, such as 0.2',
  ).argParser(fraction);
const policyFlag = (description: string) =>
  new Option('--policy <name>', description).choices(policyNames).default(policyNames[0]);

/** Flags of the parts of several sources. */
const partGapFlag = () =>
  new Option('--part-gap-ms <n>', 'mean time between the parts of a request, which come in any order').argParser(gapMs);
const sourceFlag = () =>
  new Option(
    '--source <name=behavior,…>',
    'parts of a source (repeat for each source): missing:FRACTION are not sent, late:FRACTION@MS come later; rps:N sends parts at a rate of their own, with random keys',
  ).argParser(sourceBehaviors);
const keysFlag = () =>
  new Option('--keys <n>', 'number of keys of the parts; default: each request has its own').argParser(count);

const loadFlag = () =>
  new Option(
    '--load <file>',
    'CSV with the number of requests in each second, or the name of a shipped load',
  ).conflicts(['arrivalRps', 'durationS']);
const arrivalsFlag = () =>
  new Option(
    '--arrivals <form>',
    'form of the load: poisson, deterministic, gamma:CV, mmpp:…, daily-cycle:…, step:…, ramp:…, square-wave:… or piecewise-linear:… (docs/reference/loads.md); with --load, spread of the requests within each second: poisson, uniform or bunched',
  ).default('poisson');

/** Builds the program. `parseAsync` throws a CommanderError for wrong usage. */
export function buildProgram(): Command {
  const program = new CheckedCommand('equipoise')
    .description('Keeps multi-stage ML inference pipelines at their best balance of accuracy, tail latency and cost.')
    .version(VERSION)
    .showSuggestionAfterError(true)
    .configureHelp({ optionDescription });
  addFirstSteps(program);
  addMeasurements(program);
  addPlan(program);
  addRecommend(program);
  addSimulate(program);
  addSweep(program);
  addExperiment(program);
  addForecast(program);
  addServe(program);
  addKubernetes(program);
  addOperator(program);
  addDecisions(program);
  addLoad(program);
  addCompletion(program);
  for (const { name, command } of allCommands(program))
    command.exitOverride((error) => {
      throw new UsageError(error, name);
    });
  return program;
}

/** The program itself, with an empty name, and all commands. */
export const allCommands = (program: Command) => [{ name: '', command: program }, ...commandsOf(program)];

/** Text of a flag in the help: its meaning, choices and default, or that it is required. */
function optionDescription(option: Option): string {
  const usual = new Help().optionDescription(option);
  return option.mandatory ? `${usual} (required)` : usual;
}

function addCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'shell that will read the script').choices(['bash', 'zsh', 'fish']))
    .description(
      'print a script that completes commands and flags in a shell, such as `source <(equipoise completion bash)`',
    )
    .action((shell) =>
      runCommand({}, async () => {
        const { completionScript } = await import('./terminal/completion.js');
        return { json: undefined, text: completionScript(shell, allCommands(program)) };
      }),
    );
}

/** Executable commands with full names (`k8s render`), and command groups. */
export function commandsOf(
  program: Command,
  before = '',
): readonly { readonly name: string; readonly command: Command }[] {
  return program.commands.flatMap((command) => {
    const name = `${before}${command.name()}`;
    return [{ name, command }, ...commandsOf(command, `${name} `)];
  });
}

function addFirstSteps(program: Command): void {
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
    .action((options) => runCommand(options, async () => (await import('./commands/demo.js')).demo(options)));

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
      runCommand(options, async () => (await import('./commands/init/init.js')).init(folder, options)),
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
      runCommand(options, async () => (await import('./commands/validate.js')).validate(file, options)),
    );
}

function addMeasurements(program: Command): void {
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
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/profile.js')).profile(file, options)),
    );

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
      runCommand(options, async () => (await import('./commands/calibrate.js')).calibrate(file, options)),
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
      runCommand(options, async () => (await import('./commands/evaluate.js')).evaluate(file, options)),
    );
}

function addPlan(program: Command): void {
  program
    .command('plan')
    .argument('<files...>', 'pipeline files; several are planned separately, each within its budget')
    .description('find the best plan for a load, with a certificate of what is proven')
    .requiredOption('--arrival-rps <n>', 'requests per second to plan for', positiveRate)
    .addOption(partGapFlag())
    .addOption(sourceFlag())
    .addOption(keysFlag())
    .addOption(
      new Option('--objective <name>', 'overrides the objective of the file').choices([
        'max-accuracy',
        'min-cost',
        'weights',
        'frontier',
      ]),
    )
    .option('--accuracy-floor <f>', 'minimum accuracy, 0 to 1; implies --objective min-cost', fraction)
    .option('--weights <a,b,d>', 'weights of accuracy, cost and batch; implies --objective weights', weights)
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .addOption(targetFlag('plan for this engine of a cluster: its hops take a part of the SLO'))
    .option('--budget-cores <c>', 'overrides the core budget', cores)
    .option(
      '--node-cores <list>',
      'cores of each machine, such as 4,4,8; every replica must fit on one machine',
      nodeCores,
    )
    .option(
      '--accuracy-table <file>',
      'measured accuracies, as `evaluate --json` prints them; overrides accuracyTable of the file',
    )
    .option(
      '--running-plan <file>',
      'running plan, as --out writes it; the new plan then accounts for the cost of starting replicas',
    )
    .addOption(policyFlag('planning policy'))
    .addOption(
      new Option('--estimator <name>', 'estimator of latencies')
        .choices(['distribution', 'sum-of-tails'])
        .default('distribution'),
    )
    .option('--no-verify', 'skip the simulation of the plan')
    .option(
      '--routers <n>',
      'plan for this number of routers, each with an equal share of the replicas, or for as many as the load needs (auto); overrides routers of the file',
      routers,
    )
    .addOption(unevenFlag())
    .addOption(
      new Option(
        '--connections <n>',
        'with several routers: number of long-lived connections that a balancer spreads at random, in place of --uneven',
      )
        .argParser(count)
        .conflicts('uneven'),
    )
    .addOption(serviceFactorFlag())
    .addOption(cpuQuotaFlag())
    .addOption(profileScaleFlag())
    .option('--explain', 'explain the value of more budget and why other variants lost')
    .option('--frontier', 'show all best trade-offs of accuracy and cost, as --objective frontier does')
    .option('--svg <file>', 'draw the frontier to this file')
    .option('--out <file>', 'also write the JSON answer to this file')
    .addOption(jsonFlag())
    .action((files, options) =>
      runCommand(options, async () => (await import('./commands/plan.js')).plan(files, options)),
    );
}

function addRecommend(program: Command): void {
  program
    .command('recommend')
    .argument('<file>', 'pipeline file')
    .description(
      'find the cheapest, most accurate and most robust plan, the highest load and the shortest SLO: each frees one quantity and keeps all other conditions',
    )
    .option('--arrival-rps <n>', 'requests per second; needed unless only the load is free', positiveRate)
    .addOption(
      new Option(
        '--free <quantities...>',
        'free one quantity, or two for their trade-off; default: each of them alone',
      ).choices(['cost', 'accuracy', 'load', 'slo', 'robustness']),
    )
    .option('--accuracy-floor <f>', 'minimum accuracy, 0 to 1', fraction)
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .option('--budget-cores <c>', 'overrides the core budget', cores)
    .addOption(serviceFactorFlag())
    .addOption(profileScaleFlag())
    .option('--no-verify', 'skip all simulations; only the estimate decides')
    .option('--out <file>', 'also write the JSON answer to this file')
    .option('--threads <n>', 'number of questions to answer in parallel; default: one per core', count)
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/recommend.js')).recommend(file, options)),
    );
}

function addSimulate(program: Command): void {
  program
    .command('simulate')
    .argument('<file>', 'pipeline file')
    .description('simulate a plan, or the control loop with a policy, under a load')
    .addOption(new Option('--plan <file>', 'fixed plan, as `equipoise plan --json` prints it').conflicts('policy'))
    .addOption(new Option('--policy <name>', 'run the control loop with this policy').choices(policyNames))
    .option('--arrival-rps <n>', 'rate of the load, in place of --load', positiveRate)
    .option('--duration-s <n>', 'duration of the load, in place of --load', positive)
    .addOption(loadFlag())
    .addOption(arrivalsFlag())
    .addOption(partGapFlag())
    .addOption(sourceFlag())
    .addOption(keysFlag())
    .option('--seed <n>', 'seed of arrivals and service times; the same seed gives the same figures', seed, 1)
    .option(
      '--seeds <n>',
      'number of runs with consecutive seeds; 2 or more give figures with 95 % intervals',
      runCount,
    )
    .addOption(
      new Option(
        '--routers <n>',
        'number of routers behind a balancer, each with its share of the replicas or of the budget; default: that of the plan',
      ).argParser(routerCount),
    )
    .addOption(unevenFlag())
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .option('--budget-cores <c>', 'overrides the core budget', cores)
    .addOption(serviceFactorFlag())
    .addOption(cpuQuotaFlag())
    .addOption(profileScaleFlag())
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/simulate.js')).simulate(file, options)),
    );
}

function addSweep(program: Command): void {
  program
    .command('sweep')
    .argument('<file>', 'pipeline file')
    .description(
      'simulate plans or policies along axes (load, start-up time, planning interval, profile error, routers), with intervals over seeds; finished simulations are not repeated',
    )
    .addOption(
      new Option(
        '--plan <files...>',
        'fixed plans, as `equipoise plan --out` writes them; a file may have several, such as a frontier',
      ).conflicts('policy'),
    )
    .addOption(new Option('--policy <names...>', 'run the control loop with these policies').choices(policyNames))
    .option(
      '--axis <name=values>',
      'vary a quantity (repeat for more): arrival-rps, profile-factor, load-ms, interval-ms, routers, slo-ms, budget-cores or service-factor; values V1,V2,… or LOW..HIGH/COUNT',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--arrival-rps <n>', 'rate of the load, in place of --load', positiveRate)
    .option('--duration-s <n>', 'duration of the load, in place of --load', positive)
    .addOption(loadFlag())
    .addOption(arrivalsFlag())
    .option('--seed <n>', 'first seed', seed, 1)
    .option('--seeds <n>', 'number of seeds; intervals need at least 2', runCount, 3)
    .option('--exclude-first-s <n>', 'seconds at the start of the load that do not count', notNegative, 0)
    .option('--out <folder>', 'folder of the results; default: .equipoise/sweeps/PIPELINE next to the pipeline file')
    .option('--threads <n>', 'number of simulations to run in parallel; default: one per core', count)
    .addOption(profileScaleFlag())
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/sweep.js')).sweep(file, options)),
    );
}

function addExperiment(program: Command): void {
  program
    .command('experiment')
    .argument('<grid>', 'file with the grid')
    .description(
      'run all combinations of the policies, pipelines, loads and seeds of a grid, and compare the policies; finished combinations (cells) are not repeated',
    )
    .addOption(
      new Option(
        '--on <platforms>',
        'where cells run, separated by commas: simulator, embedded (served on this machine), cluster (served on a Kubernetes cluster); default: simulator. Results are compared with the first one',
      ).argParser(platformNames),
    )
    .option(
      '--policy <file>',
      'also compare the policy in this module (docs/guide/experiments.md); repeatable',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--raw <folder>', 'write a CSV file for each cell to this folder, with a line for each request')
    .option('--kubeconfig <file>', 'for cluster: kubeconfig with the access to the cluster; default: that of kubectl')
    .option('--context <name>', 'for cluster: context of the kubeconfig; default: the current context')
    .option(
      '--namespace <name>',
      'for cluster: namespace in which no operator runs; default: the namespace of the context',
      namespace,
    )
    .option('--image <image>', 'for cluster: image with Equipoise and the pipeline folder in /pipeline')
    .option(
      '--router-url <url>',
      'for cluster: address of the router; default: the cluster address of its Service, which nodes and pods reach',
    )
    .option('--out <folder>', 'folder of the results; default: .equipoise/experiments/NAME next to the grid')
    .option('--threads <n>', 'number of cells to simulate in parallel; default: one per core', count)
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/experiment.js')).experiment(file, options)),
    );
}

function addForecast(program: Command): void {
  program
    .command('forecast')
    .argument('<trace>', 'CSV (or .gz) with the number of requests in each second, or the name of a shipped load')
    .description(
      'fit all forecasters to the first part of a trace, select one by pinball loss and test all on the rest',
    )
    .option(
      '--bin-s <n>',
      'length of a bin in seconds; the value of a bin is the largest number of requests in one second',
      count,
      10,
    )
    .option('--lags <n>', 'number of past bins that a forecast uses', count, 12)
    .option('--horizon-bins <n>', 'number of future bins whose largest value is forecast', count, 2)
    .option('--train-s <n>', 'seconds of the trace for fitting; the rest is for testing; default: five sevenths', count)
    .option(
      '--scale <f>',
      'factor for the counts; the products are rounded down; default: 1 for a shipped load, 0.125 for a file, as in the IPA paper',
      positive,
    )
    .option('--keep-zeros', 'keep seconds without requests instead of treating them as gaps of the trace')
    .option('--seed <n>', 'seed of the fits; the same seed gives the same forecasts', seed, 1)
    .option('--svg <file>', 'draw the last forecasts to this file')
    .addOption(jsonFlag())
    .action((trace, options) =>
      runCommand(options, async () => (await import('./commands/forecast.js')).forecast(trace, options)),
    );
}

function addServe(program: Command): void {
  program
    .command('serve')
    .argument('<file>', 'pipeline file')
    .description('serve the pipeline and adapt it to the load; SIGINT and SIGTERM drain it, SIGHUP reloads its files')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 for any free port', port, 8080)
    .option('--grpc-port <n>', 'port of gRPC on the same address; 0 for any free port; default: none', port)
    .option(
      '--health-port <n>',
      'port of /livez and /readyz on the same address, without TLS, answered by a separate thread; 0 for any free port; default: none',
      port,
    )
    .option(
      '--arrival-rps <n>',
      'plan for this load at the start, and for at least this load until a minute after the first request; default: restore the last good plan, or plan for 1 request per second',
      positiveRate,
    )
    .option('--max-body-bytes <n>', 'maximum size of a request body', count, 16 * MIB)
    .option(
      '--max-inbound-bytes <n>',
      'maximum total size of the bodies that have not arrived completely; not below --max-body-bytes; default: 4 times --max-body-bytes, but at least 64 MiB',
      count,
    )
    .option('--max-json-bytes <n>', 'maximum size of the JSON in a request', count, 2 * MIB)
    .option('--max-connections <n>', 'maximum number of open connections per port', count, 2048)
    .option('--max-streams <n>', 'maximum number of open HTTP/2 streams per port, over all connections', count, 4096)
    .option(
      '--token-file <file>',
      'require bearer tokens from clients; the file has one line per token: [TENANT] TOKEN [rps=N] [burst=N]',
    )
    .option(
      '--tls-cert <file>',
      'serve REST, gRPC and the port for KEDA over TLS with this certificate (PEM, followed by its chain); reloaded when the file changes',
    )
    .option(
      '--tls-key <file>',
      'key of the certificate (PEM); only the owner may write this file, only owner and group may read it',
    )
    .option('--fixed', 'keep the first plan, never adapt')
    .option(
      '--routers <n>',
      'number of servers of this pipeline that run from this folder, behind a balancer; each gets an equal share of the budget, and one of them adapts the plan of all; default: 1',
      routerCount,
    )
    .addOption(
      new Option(
        '--mode <mode>',
        'mode of the control loop: auto plans and acts, advise only plans, off does neither; default: the last mode set on the admin port, else the mode of the file',
      ).choices(['auto', 'advise', 'off']),
    )
    .option('--admin-port <n>', 'port of the admin API; 0 for any free port; default: 8081', port)
    .option('--no-admin-port', 'no admin API')
    .option(
      '--admin-host <address>',
      'address of the admin API; an address that other machines can reach requires --admin-token-file',
      '127.0.0.1',
    )
    .option('--admin-token-file <file>', 'require the bearer token in this file from clients of the admin API')
    .option(
      '--keda-port <n>',
      'port of the external scaler that tells KEDA the desired number of replicas; 0 for any free port; default: none',
      port,
    )
    .option('--keda-host <address>', 'address of the port for KEDA; this port requires no token', '127.0.0.1')
    .option(
      '--share-with <url>',
      'http://HOST:PORT of another server of this pipeline, to which a share of the requests is forwarded over plain HTTP, with the tokens of the clients; if that server fails, this server answers',
    )
    .option(
      '--share <f>',
      'fraction of the HTTP inference requests to forward to --share-with, above 0 and at most 1',
      positive,
    )
    .option(
      '--trace-sample <f>',
      'fraction of the requests whose traces are kept, 0 to 1, or off to record none; slow and failed requests, and those whose caller samples them, are kept besides, at a limited rate',
      traceSample,
      0.01,
    )
    .option(
      '--otlp-endpoint <url>',
      'send kept traces to this OpenTelemetry collector (OTLP over HTTP), such as http://localhost:4318; default: OTEL_EXPORTER_OTLP_ENDPOINT, else none',
    )
    .addOption(
      new Option('--log-format <format>', 'format of the log on stderr: text, or json with one object per line')
        .choices(['text', 'json'])
        .default('text'),
    )
    .option(
      '--request-log <file>',
      'append a line of JSON for each finished request (time, trace id, outcome, latency; no payloads); SIGHUP opens the file again; default: none',
    )
    .addOption(profileScaleFlag())
    .addOption(policyFlag('policy of the first plan; only equipoise adapts the plan later'))
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/serve.js')).serve(file, options)),
    );
}

const pipelineFlag = () => new Option('--pipeline <name>', 'only this pipeline, if the log has several');

function addDecisions(program: Command): void {
  program
    .command('explain')
    .argument('[decision]', 'number of the decision; default: the newest', count)
    .description('show what the control loop observed, chose and rejected in a decision, and the outcome')
    .option('--log <file>', 'state file of the server, or an exported log', '.equipoise/state.db')
    .addOption(pipelineFlag())
    .addOption(jsonFlag())
    .action((decision, options) =>
      runCommand(options, async () => (await import('./commands/explain.js')).explain(decision, options)),
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
    .action((pipeline, options) =>
      runCommand(options, async () => (await import('./commands/why.js')).why(pipeline, options)),
    );

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
      runCommand(options, async () => (await import('./commands/report.js')).report(source, options)),
    );

  program
    .command('replay')
    .argument('<log>', 'state file of a server (.equipoise/state.db), or an exported log')
    .description('repeat the decisions of a log; the same code makes the same decisions')
    .option('--newest <n>', 'only the newest n decisions of each pipeline', count)
    .option('--out <file>', 'export the log to this file as JSON lines')
    .addOption(pipelineFlag())
    .addOption(jsonFlag())
    .action((log, options) =>
      runCommand(options, async () => (await import('./commands/replay.js')).replay(log, options)),
    );
}

function addLoad(program: Command): void {
  program
    .command('load')
    .argument(
      '[url]',
      'address of /v1/pipelines/NAME/run or /v2/models/NAME/infer; not with --targets or --read-results',
    )
    .description('send an open-loop load and report latencies, counted from the scheduled send times')
    .option('--arrival-rps <n>', 'rate of the load, in place of --load', rate)
    .option('--duration-s <n>', 'duration of the load, in place of --load', positive)
    .addOption(loadFlag())
    .addOption(arrivalsFlag())
    .option('--body <path>', 'file to send, or folder whose files are sent in turn; default: the JSON {}')
    .option(
      '--part <source=path>',
      'part of a source of several, as file or folder (repeat for each source); the parts of a request share an id',
      sourcePaths,
    )
    .addOption(partGapFlag().default(0))
    .addOption(sourceFlag())
    .addOption(keysFlag())
    .option('--content-type <type>', 'media type of the bodies; default: by file extension')
    .option('--token-file <file>', 'send the bearer token in this file')
    .option('--timeout-ms <n>', 'cancel a request after this time', timeoutMs, 10_000)
    .option('--seed <n>', 'seed of the arrivals', seed, 1)
    .option(
      '--keep-going',
      'send the whole load at once, even if the server is unreachable, still starts or refuses the first requests',
    )
    .addOption(
      new Option(
        '--tool <name>',
        'sender of the load: Equipoise, or vegeta (on the PATH, or at EQUIPOISE_VEGETA), which spreads the requests of a second evenly',
      )
        .choices(['builtin', 'vegeta'])
        .default('builtin'),
    )
    .option('--max-workers <n>', 'limit of vegeta on requests at once; default: none', count)
    .option('--targets <file>', "send these requests in turn: vegeta's targets, as JSON (.json) or in its format http")
    .option('--save-targets <file>', "write the requests as vegeta's targets; .json: as JSON, else in its format http")
    .option('--save-results <file>', "write a record of each request as vegeta's results; .csv or .json")
    .option(
      '--read-results <file>',
      'send nothing; report results that were saved by --save-results or converted by vegeta encode',
    )
    .addOption(jsonFlag())
    .action((url, options) => runCommand(options, async () => (await import('./commands/load.js')).load(url, options)));
}
