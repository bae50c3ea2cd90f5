import { setTimeout } from 'node:timers/promises';
import { AppError, type ControlMode, followsAddresses, type PipelineSpec } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import {
  DesiredReplicas,
  EventFeed,
  type LoopEvent,
  PipelineMonitor,
  type ServerOptions,
  stageFailureText,
} from '@equipoise/runtime';
import { type AdminOptions, checkAdminPlace, startAdmin } from '../compose/admin-port.js';
import { fetchArtifactsAhead } from '../compose/artifacts.js';
import { loadSpec } from '../compose/load-spec.js';
import type { StartOptions } from '../compose/pipeline-composition.js';
import { profilesFor } from '../compose/profiles-for.js';
import { Reloads, reloadOnSighup } from '../compose/reloads.js';
import { awaitReplacement, isInUse, replacementOf } from '../compose/replacement.js';
import { requestLog } from '../compose/request-log.js';
import { exportPlace, requestTracer, startExporter, type TracingOptions } from '../compose/request-tracing.js';
import { RouterGroup } from '../compose/router-group.js';
import {
  drainDeadlineMs,
  type ServingPortOptions,
  ServingPorts,
  servingPortOptions,
  startScaler,
} from '../compose/serving-ports.js';
import { type RunningPipeline, startPipeline } from '../compose/start-pipeline.js';
import { checkFileLimit } from '../terminal/file-limit.js';
import { type LogFormat, log, setLogFormat } from '../terminal/log.js';
import { LoopLines } from '../terminal/loop-lines.js';
import { PlanProgress } from '../terminal/plan-progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { endUnlessOver, endWithin, stopSignal } from '../terminal/stop-signal.js';
import { VERSION } from '../version.js';
import { loadSpecAside } from './load-spec-aside.js';
import { logStart, unfinishedText, warnOfCores, warnOfFiles } from './serve-log.js';

export interface ServeOptions extends AdminOptions, ServingPortOptions, TracingOptions {
  /** Rate for the first plan; default: restore the last good plan. */
  readonly arrivalRps?: number | undefined;
  readonly mode?: ControlMode | undefined;
  readonly fixed?: boolean | undefined;
  readonly policy: PolicyName;
  /** Number of servers of this pipeline on this machine, behind a balancer. */
  readonly routers?: number | undefined;
  readonly profileScale?: number | undefined;
  /** False to count nothing for `/metrics`, which is then unknown. */
  readonly metrics?: boolean | undefined;
  readonly logFormat?: LogFormat | undefined;
  /** File of the request log. */
  readonly requestLog?: string | undefined;
  /** Maximum time to drain; default `drainDeadlineMs`. */
  readonly drainDeadlineMs?: number | undefined;
}

const DEFAULT_ARRIVAL_RPS = 1;
/** Time for persistent connections to close, each after its next answer. */
const LEAVE_MS = 1000;
const CLOSE_MS = 1000;
/** Time for a balancer to look at `/readyz`, several times. */
const BALANCER_MS = 2000;
/** Time to export the last traces. */
const EXPORT_MS = 2000;
/** Time for the process to exit by itself. */
const END_MS = 3000;

/** `equipoise serve`: serves until SIGINT or SIGTERM, then drains. */
export async function serve(file: string, options: ServeOptions): Promise<CommandResult | undefined> {
  setLogFormat(options.logFormat ?? 'text');
  checkFileLimit();
  checkMode(options);
  checkAdminPlace(options);
  const reloads = new Reloads();
  const beginReloads = reloadOnSighup(reloads);
  const tracePlace = exportPlace(options, process.env);
  const tracer = requestTracer(options);
  const spec = await loadSpec(file);
  checkFollowed(options, spec);
  const requests = requestLog(options.requestLog, tracer);
  if (requests !== undefined) reloads.add('the request log', () => requests.reopen());
  await fetchArtifactsAhead(spec);
  const profiles = profilesFor(spec, file, options.profileScale);
  const desired = new DesiredReplicas();
  const monitor = monitorOf(options, spec, desired);
  const portOptions = servingPortOptions(options, { reloads, monitor });
  warnOfCores(spec);
  warnOfFiles(portOptions.maxConnections, options.maxConnections);
  // On SIGUSR1 Node would open its inspector, which gives access to the whole process.
  process.on('SIGUSR1', () => log('SIGUSR1 has no effect'));
  const stop = stopSignal();
  const startedAtMs = performance.now();
  const { policy, mode, arrivalRps = DEFAULT_ARRIVAL_RPS } = options;
  const fixed = options.fixed === true || policy !== 'equipoise';
  const routers = routerGroup(options, spec);
  const ports = new ServingPorts(
    {
      ...portOptions,
      onStageFailure: (failure) => log(stageFailureText(failure)),
      version: VERSION,
      ...watchedBy(monitor),
    },
    options.healthPort,
  );
  const feed = new EventFeed(Date.now);
  const lines = new LoopLines();
  const progress = new PlanProgress(`starting ${spec.name}`);
  const start: StartOptions = {
    spec,
    profiles,
    arrivalRps,
    announces: options.arrivalRps !== undefined,
    policy,
    fixed,
    routers,
    mode,
    resume: policy === 'equipoise' && options.arrivalRps === undefined,
    resumeLearned: !fixed,
    report: (event: LoopEvent) => {
      desired.note(event);
      const line = lines.of(event);
      if (line !== undefined) log(line);
      feed.publish(spec.name, event);
    },
    monitor,
    tracer,
    listen: (parts) => ports.open(parts),
    onStep: (step) => progress.say(`starting ${spec.name}: ${step}`),
  };
  try {
    const pipeline = await startUnlessStopped(start, stop).finally(() => progress.stop());
    if (pipeline !== undefined) {
      const drainMs = () =>
        options.drainDeadlineMs ?? drainDeadlineMs(pipeline.runner.spec.slo, options.shareWith !== undefined);
      if (tracer !== undefined) requests?.follow(tracer, spec.name);
      const exporter = await startExporter(tracer, tracePlace, spec);
      const sidePorts: ({ close(): Promise<void> } | undefined)[] = [];
      try {
        const admin = await startAdmin(options, { pipelines: [pipeline], feed, metrics: monitor?.adminPage });
        sidePorts.push(admin);
        if (admin !== undefined) log(`admin port ${admin.url}/admin/pipelines`);
        const { tls } = portOptions;
        sidePorts.push(await startScaler(options, { spec, desired, ...(tls && { tls }) }));
        const server = ports.beginServing();
        logStart(server, pipeline, {
          modeText: modeText(pipeline, { fixed, follows: routers?.leads === false }),
          startMs: performance.now() - startedAtMs,
          adminUrl: admin?.url,
        });
        reloads.add('the pipeline file', async () => pipeline.reload(await loadSpecAside(file)));
        beginReloads();
        await stop;
        await replaced(pipeline, server.url);
        const leaveMs = Math.min(LEAVE_MS, drainMs());
        // The balancer has to see that this router is not ready before the port closes.
        await Promise.all([ports.drain(leaveMs), ...(routers ? [setTimeout(BALANCER_MS)] : [])]);
        log('draining: no new requests are accepted, running ones are finished');
      } finally {
        const timeoutMs = drainMs();
        const closed = closeAll([...sidePorts, { close: () => ports.close(timeoutMs) }], pipeline);
        try {
          await endWithin(timeoutMs + CLOSE_MS, closed, () => unfinishedText(pipeline));
        } finally {
          await Promise.all([exporter?.close(EXPORT_MS), requests?.close(EXPORT_MS)]);
        }
      }
    }
  } finally {
    await ports.close(CLOSE_MS);
  }
  log('stopped');
  endUnlessOver(END_MS, 'a stage has not returned from a batch');
  return undefined;
}

/** Waits for the replacement of a terminating pod. */
async function replaced({ runner }: RunningPipeline, ownUrl: string): Promise<void> {
  const replacement = replacementOf(process.env);
  if (replacement === undefined) return;
  const onWait = () => log('serving on until another pod of this stage is ready');
  await awaitReplacement(replacement, { ownUrl, isInUse: () => isInUse(runner), onWait });
}

/** Throws WRONG_USAGE if a plan would adapt replicas that are the addresses of a server. */
function checkFollowed({ fixed = false, policy }: ServeOptions, { stages }: PipelineSpec): void {
  const followed = stages.find(followsAddresses);
  if (followed === undefined || fixed || policy !== 'equipoise') return;
  const message = `The stage ${followed.id} has server.replicas: addresses, so its replicas follow the addresses of its server, not a plan. Serve it with --fixed.`;
  throw new AppError('WRONG_USAGE', message);
}

/** Undefined without metrics. */
function monitorOf(
  { metrics = true }: ServeOptions,
  { name }: PipelineSpec,
  desired: DesiredReplicas,
): PipelineMonitor | undefined {
  return metrics ? new PipelineMonitor({ pipelineName: name, version: VERSION, desired }) : undefined;
}

/** Metrics of the serving ports, if there are any. */
function watchedBy(monitor: PipelineMonitor | undefined): Pick<ServerOptions, 'metrics' | 'onAnswer' | 'onRefusal'> {
  if (monitor === undefined) return {};
  return {
    metrics: monitor.servingPage,
    onAnswer: (call) => monitor.answered(call),
    onRefusal: (kind) => monitor.refused(kind),
  };
}

/** Throws WRONG_USAGE if flags ask both for a fixed plan and for adaptation. */
function checkMode({ fixed = false, mode = 'off' }: ServeOptions): void {
  if (!fixed || mode === 'off') return;
  throw new AppError('WRONG_USAGE', `--fixed keeps the first plan, --mode ${mode} would not: leave one of them out.`);
}

function modeText(
  { control }: RunningPipeline,
  { fixed, follows }: { readonly fixed: boolean; readonly follows: boolean },
): string {
  if (fixed) return 'plan fixed';
  return follows ? 'with the plan of the lead' : `mode ${control.mode}`;
}

/** Undefined for the only router. Throws WRONG_USAGE for a plan that no router adapts. */
function routerGroup(
  { routers = 1, fixed = false, policy }: ServeOptions,
  spec: PipelineSpec,
): RouterGroup | undefined {
  if (routers === 1) return undefined;
  if (!fixed && policy === 'equipoise') return new RouterGroup({ routers, spec });
  throw new AppError('WRONG_USAGE', '--routers adapts the plan of all routers: leave out --fixed and --policy.');
}

/** Starts the pipeline. A stop aborts the start: everything is closed, and nothing is returned. */
async function startUnlessStopped(options: StartOptions, stop: Promise<void>): Promise<RunningPipeline | undefined> {
  const aborting = new AbortController();
  const starting = startPipeline({ ...options, signal: aborting.signal });
  const started = await Promise.race([starting, stop.then(() => undefined)]);
  if (started !== undefined) return started;
  log('stopping before the pipeline is ready');
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
