/** `equipoise serve`: puts a pipeline behind HTTP and keeps it adapted until it is told to stop. */
import { randomInt } from 'node:crypto';
import { AppError, type ControlMode, invariant, type PipelineSpec, SeededRng } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import {
  type AnsweredCall,
  EventFeed,
  type KedaScalerOptions,
  type LoopEvent,
  PipelineMonitor,
  type RunningKedaScaler,
  type RunningServer,
  type ServerOptions,
  stageFailureText,
  startKedaScaler,
  startServer,
  TlsIdentity,
} from '@equipoise/runtime';
import pc from 'picocolors';
import { type AdminOptions, checkAdminPlace, startAdmin } from '../compose/admin-port.js';
import { fetchArtifactsAhead } from '../compose/artifacts.js';
import { drainDeadlineMs } from '../compose/drain-deadline.js';
import type { KeptState } from '../compose/kept-state.js';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { type ReloadOutcome, Reloads } from '../compose/reloads.js';
import { servingSpec } from '../compose/served-spec.js';
import type { StartOptions } from '../compose/start-options.js';
import { type RunningPipeline, startPipeline } from '../compose/start-pipeline.js';
import { tenantsOf } from '../compose/tenants-of.js';
import { counted } from '../terminal/counted.js';
import { learnedEdgeText } from '../terminal/decision-text.js';
import { LoopLines } from '../terminal/loop-lines.js';
import { coresText, planSummary, planTable } from '../terminal/plan-table.js';
import { bindingText } from '../terminal/plan-text.js';
import type { CommandResult } from '../terminal/run-command.js';
import { endUnlessOver, endWithin, stopSignal } from '../terminal/stop-signal.js';
import { VERSION } from '../version.js';

/** Flags of the command. */
export interface ServeOptions extends AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly grpcPort?: number;
  /** Given: plan for it anew; left out: go on with the last good plan. */
  readonly arrivalRps?: number;
  readonly maxBodyBytes: number;
  readonly tokenFile?: string;
  readonly mode?: ControlMode;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Given: KEDA is told there how many replicas are wanted. */
  readonly kedaPort?: number;
  readonly kedaHost?: string;
  /** Another server of the pipeline that gets a share of the requests; the two flags belong together. */
  readonly shareWith?: string;
  readonly share?: number;
  readonly fixed?: boolean;
  readonly policy: PolicyName;
  readonly profileScale?: number;
  /** Longest wait for requests that are inside after a stop; where it is left out, see `compose/drain-deadline`. */
  readonly drainDeadlineMs?: number;
}

/** Load to expect where nothing is known. */
const DEFAULT_ARRIVAL_RPS = 1;
/** Time for clients that keep their connections to be told, with an answer, that they close. */
const LEAVE_MS = 1000;
/** Time to close what was started: of a start that is given up, or once no request is inside any more. */
const CLOSE_MS = 1000;
/** Time that the process has to end by itself once all is closed. */
const END_MS = 3000;

/** Serves the pipeline of `file` until SIGINT or SIGTERM, then drains. */
export async function serve(file: string, options: ServeOptions): Promise<CommandResult | undefined> {
  checkMode(options);
  checkAdminPlace(options);
  const reloads = new Reloads();
  const beginReloads = reloadAtSignal(reloads);
  const spec = await loadSpec(file);
  await fetchArtifactsAhead(spec);
  const profiles = profilesFor(spec, file, options.profileScale);
  const tls = tlsOf(options, reloads);
  const tenants = tenantsOf(options.tokenFile, reloads);
  warnOfCores(spec);
  const stop = stopSignal();
  const { policy, arrivalRps = DEFAULT_ARRIVAL_RPS } = options;
  const fixed = options.fixed === true || policy !== 'equipoise';
  const resume = policy === 'equipoise' && options.arrivalRps === undefined;
  const monitor = new PipelineMonitor({ pipelineName: spec.name, version: VERSION });
  const ports = new ServingPorts({
    ...placesOf(options),
    ...(tenants && { tenants }),
    ...(tls && { tls }),
    ...shareOf(options, monitor),
    onStageFailure: (failure) => log(stageFailureText(failure)),
    ...{ version: VERSION, metrics: monitor.servingPage, onAnswer: (call: AnsweredCall) => monitor.answered(call) },
  });
  const listen = (parts: Pick<RunningPipeline, 'runner' | 'stageTypes'>) => ports.open(parts);
  const feed = new EventFeed(Date.now);
  const lines = new LoopLines();
  const report = (event: LoopEvent) => {
    const line = lines.of(event);
    if (line !== undefined) log(line);
    feed.publish(spec.name, event);
  };
  const { mode } = options;
  const kept = { resume, resumeLearned: !fixed };
  const start = { spec, profiles, arrivalRps, policy, fixed, ...kept, report, monitor, listen, ...(mode && { mode }) };
  try {
    const pipeline = await startUnlessStopped(start, stop);
    if (pipeline !== undefined) {
      const beside: ({ close(): Promise<void> } | undefined)[] = [];
      try {
        const admin = await startAdmin(options, { pipelines: [pipeline], feed, metrics: monitor.adminPage });
        beside.push(admin);
        if (admin !== undefined) log(`admin port ${admin.url}/admin/pipelines`);
        beside.push(await startScaler(options, { spec, desired: monitor.desiredReplicas, ...(tls && { tls }) }));
        const modeText = fixed ? 'plan fixed' : `mode ${pipeline.control.mode}`;
        logStart(spec.name, await ports.beginServing(), pipeline, modeText);
        reloads.add('the pipeline file', async () => pipeline.reload(await loadSpec(file)));
        beginReloads();
        await stop;
        await ports.leave(Math.min(LEAVE_MS, drainMsOf(options, pipeline)));
        log('draining: no new requests, those inside are finished');
      } finally {
        const drainMs = drainMsOf(options, pipeline);
        const closed = closeAll([...beside, { close: () => ports.close(drainMs) }], pipeline);
        await endWithin(drainMs + CLOSE_MS, closed, () => insideText(pipeline));
      }
    }
  } finally {
    await ports.close(CLOSE_MS);
  }
  log('stopped');
  endUnlessOver(END_MS, 'a stage does not come back from a batch');
  return undefined;
}

/** AppError WRONG_USAGE where a plan that is kept is to be adapted, or advised upon by a loop that does not run. */
function checkMode({ fixed = false, mode = 'off' }: ServeOptions): void {
  if (!fixed || mode === 'off') return;
  throw new AppError('WRONG_USAGE', `--fixed keeps the first plan, --mode ${mode} would not: leave one of them out.`);
}

/** The serving ports, taken before the pipeline starts. */
class ServingPorts {
  readonly #options: Omit<ServerOptions, 'runners' | 'stageTypes' | 'starting'>;
  #server: RunningServer | undefined;

  constructor(options: Omit<ServerOptions, 'runners' | 'stageTypes' | 'starting'>) {
    this.#options = options;
  }

  async open({ runner, stageTypes }: Pick<RunningPipeline, 'runner' | 'stageTypes'>): Promise<void> {
    const served = { runners: [runner], stageTypes: new Map([[runner.spec.name, stageTypes]]), starting: true };
    this.#server = await startServer({ ...this.#options, ...served });
    log(`listening on ${this.#server.url}; the pipeline starts`);
  }

  /** Takes requests from now on. */
  async beginServing(): Promise<RunningServer> {
    invariant(this.#server !== undefined, 'a pipeline that has started has its ports');
    await this.#server.beginServing();
    return this.#server;
  }

  /** Lets clients go that keep their connections. */
  async leave(withinMs: number): Promise<void> {
    await this.#server?.leave(withinMs);
  }

  /** Lets requests that are inside end for at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    await this.#server?.close({ timeoutMs });
  }
}

function drainMsOf(options: ServeOptions, { runner }: RunningPipeline): number {
  return options.drainDeadlineMs ?? drainDeadlineMs(runner.spec.slo, options.shareWith !== undefined);
}

/** The port for KEDA, where one is asked for. */
async function startScaler(
  { kedaPort, kedaHost = '127.0.0.1' }: ServeOptions,
  scaled: Omit<KedaScalerOptions, 'host' | 'port'>,
): Promise<RunningKedaScaler | undefined> {
  if (kedaPort === undefined) return undefined;
  const scaler = await startKedaScaler({ ...scaled, host: kedaHost, port: kedaPort });
  log(`KEDA is told on ${scaler.address} how many replicas are wanted: externalscaler.ExternalScaler`);
  return scaler;
}

/** What to show to clients; read again when it changes, and with everything else. */
function tlsOf({ tlsCert, tlsKey }: ServeOptions, reloads: Reloads): TlsIdentity | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new AppError('WRONG_USAGE', '--tls-cert and --tls-key belong together.');
  }
  const tls = new TlsIdentity({ certPath: tlsCert, keyPath: tlsKey });
  const what = 'the certificate';
  tls.watch((outcome) => {
    if ('error' in outcome) logReload({ what, kind: 'refused', error: outcome.error });
    else if (outcome.changed) logReload({ what, kind: 'changed' });
  });
  reloads.add(what, () => tls.reload());
  return tls;
}

/** SIGHUP reads everything anew that can be, one that comes early once what is returned was called: the pipeline serves. */
function reloadAtSignal(reloads: Reloads): () => void {
  // At a terminal the signal says that it was closed, which ends the command as it ends others.
  if (process.stderr.isTTY) return () => {};
  let serves = false;
  let asked = false;
  const reload = () => {
    void reloads.run().then((outcomes) => {
      for (const outcome of outcomes) logReload(outcome);
    });
  };
  process.on('SIGHUP', () => {
    if (serves) reload();
    else {
      asked = true;
      log('SIGHUP: all files are read anew once the pipeline serves');
    }
  });
  return () => {
    serves = true;
    if (asked) reload();
  };
}

/** Who else gets requests, and how many of them. */
function shareOf({ shareWith, share }: ServeOptions, monitor: PipelineMonitor): Pick<ServerOptions, 'share'> {
  if (shareWith === undefined && share === undefined) return {};
  if (shareWith === undefined || share === undefined) {
    throw new AppError('WRONG_USAGE', '--share-with and --share belong together.');
  }
  const onShared = monitor.shared.bind(monitor);
  return { share: { url: shareWith, fraction: share, rng: new SeededRng(randomInt(2 ** 31)), onShared } };
}

function placesOf({ host, port, grpcPort, maxBodyBytes }: ServeOptions) {
  return { host, port, maxBodyBytes, ...(grpcPort !== undefined && { grpcPort }) };
}

/** A stop gives the start up: what it has started is closed, and nothing is returned. */
async function startUnlessStopped(options: StartOptions, stop: Promise<void>): Promise<RunningPipeline | undefined> {
  const aborting = new AbortController();
  const starting = startPipeline({ ...options, signal: aborting.signal });
  const started = await Promise.race([starting, stop.then(() => undefined)]);
  if (started !== undefined) return started;
  log('stopping before it was ready: what has started is closed');
  aborting.abort();
  const closed = starting.then(
    (pipeline) => pipeline.close(),
    () => undefined,
  );
  await endWithin(CLOSE_MS, closed, () => 'a stage is still loading or warming up');
  return undefined;
}

async function closeAll(
  servers: readonly ({ close(): Promise<void> } | undefined)[],
  pipeline: RunningPipeline,
): Promise<void> {
  try {
    await Promise.all(servers.map((server) => server?.close()));
  } finally {
    await pipeline.close();
  }
}

function insideText({ runner, actuator }: RunningPipeline): string {
  const replicas = Object.values(actuator.runningPlan().stages).flatMap((stage) => stage.replicas);
  const names = replicas.map(({ replicaId, status }) => `${replicaId} (${status})`).join(', ');
  return `requests inside: ${runner.inFlight}; replicas not closed: ${names === '' ? 'none' : names}`;
}

function warnOfCores(spec: PipelineSpec): void {
  const { cpuCores } = spec.budget;
  const machine = servingSpec(spec).budget.cpuCores;
  if (cpuCores === undefined || machine === undefined || cpuCores <= machine) return;
  warn(`the budget of ${coresText(cpuCores)} is more than this machine has; it is planned for ${machine}`);
}

function logStart(
  name: string,
  { url, grpcAddress }: RunningServer,
  { first, kept }: RunningPipeline,
  modeText: string,
): void {
  for (const what of kept.passedOver) log(`not taken from before: ${what}`);
  if (first.kind === 'made') {
    const { passedOver, lostPins, result } = first;
    if (lostPins !== undefined) warn(`pins of before do not hold: ${lostPins}`);
    if (passedOver !== undefined) log(`the last good plan is not taken: ${passedOver}`);
    if (result.kind === 'infeasible') {
      warn(`no plan meets the SLO: ${bindingText(result.bindingConstraint)}; a best effort serves`);
    }
  }
  const learned = learnedText(kept);
  if (learned !== undefined) log(learned);
  const title = first.kind === 'resumed' ? 'the last good plan' : 'the first plan';
  log(`${title}:\n${planTable(first.plan)}\n${planSummary(first.plan)}`);
  const paths = `POST /v1/pipelines/${name}/run or /v2/models/${name}/infer`;
  if (grpcAddress !== undefined) log(`gRPC on ${grpcAddress}: inference.GRPCInferenceService, grpc.health.v1.Health`);
  log(`${pc.green('ready')} ${url} serves pipeline ${name} (${paths}), ${modeText}`);
}

function learnedText({ controller: { learning, service, edges }, wishes: { pins } }: KeptState): string | undefined {
  const corrected = new Set(service?.corrections.map(({ stageId, variantId }) => `${stageId}/${variantId}`));
  const pinned = Object.keys(pins);
  const parts = [
    ...(learning === undefined
      ? []
      : [`forecasters taught by ${counted(learning.historyRps.length, 'value')} of the load`]),
    ...(corrected.size === 0 ? [] : [`corrections of the profile of ${[...corrected].join(', ')}`]),
    ...(edges === undefined || edges.inForce.length === 0 ? [] : [edges.inForce.map(learnedEdgeText).join(', ')]),
    ...(pinned.length === 0 ? [] : [`pins of ${pinned.join(', ')}`]),
  ];
  return parts.length === 0 ? undefined : `goes on with ${parts.join(' and ')}`;
}

function warn(text: string): void {
  process.stderr.write(`${pc.yellow('warning')} ${text}\n`);
}

function log(text: string): void {
  process.stderr.write(`${pc.dim(new Date().toISOString())} ${text}\n`);
}

function logError(what: string, error: unknown): void {
  log(`${pc.red(what)}: ${error instanceof Error ? error.message : String(error)}`);
}

function logReload(outcome: ReloadOutcome): void {
  if (outcome.kind === 'refused') logError(`${outcome.what} is refused`, outcome.error);
  else log(`${outcome.what} ${outcome.kind === 'changed' ? 'has changed' : 'is as it was'}`);
}
