/** `equipoise serve`: name, flags and help. */
import { type Command, Option } from 'commander';
import { count, port, positive, positiveRate, routerCount, traceSample } from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import { policyFlag, profileScaleFlag } from './shared-flags.js';

const MIB = 1024 ** 2;

export function addServe(program: Command): void {
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
    .option(
      '--no-metrics',
      'count nothing for /metrics, which is then unknown on both ports; an operator or a Prometheus of this server needs it',
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
    .action((file, options) => runCommand(options, async () => (await import('./serve.js')).serve(file, options)));
}
