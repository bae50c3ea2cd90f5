/** `equipoise serve`: puts a pipeline behind HTTP and keeps it adapted until it is told to stop. */
import type { Decision, PolicyName } from '@equipoise/core';
import { type LoopEvent, startServer } from '@equipoise/runtime';
import pc from 'picocolors';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { type RunningPipeline, startPipeline } from '../compose/start-pipeline.js';
import { choiceText, planSummary, planTable } from '../terminal/plan-table.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { VERSION } from '../version.js';

/** Flags of the command. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Given: plan for it anew; left out: go on with the last good plan. */
  readonly arrivalRps?: number;
  readonly maxBodyBytes: number;
  readonly fixed?: boolean;
  readonly policy: PolicyName;
}

/** Load to expect where nothing is known. */
const DEFAULT_ARRIVAL_RPS = 1;

/** Serves the pipeline of `file` until SIGINT or SIGTERM, then drains. */
export async function serve(file: string, options: ServeOptions): Promise<CommandResult | undefined> {
  const spec = await loadSpec(file);
  const profiles = profilesFor(spec, file);
  const stop = stopSignal();
  const { policy, arrivalRps = DEFAULT_ARRIVAL_RPS } = options;
  const fixed = options.fixed === true || policy !== 'equipoise';
  const pipeline = await startPipeline({
    spec,
    profiles,
    arrivalRps,
    policy,
    fixed,
    resume: policy === 'equipoise' && options.arrivalRps === undefined,
    report: logEvent,
  });
  try {
    const { host, port, maxBodyBytes } = options;
    const server = await startServer({ runners: [pipeline.runner], version: VERSION, host, port, maxBodyBytes });
    try {
      logStart(spec.name, server.url, pipeline);
      await stop;
      log('draining: no new requests, those inside are finished');
    } finally {
      await server.close();
    }
  } finally {
    await pipeline.close();
  }
  log('stopped');
  return undefined;
}

function logStart(name: string, url: string, { resumed, firstPlan }: RunningPipeline): void {
  log(`${resumed ? 'the last good plan' : 'the first plan'}:\n${planTable(firstPlan)}\n${planSummary(firstPlan)}`);
  const paths = `POST /v1/pipelines/${name}/run or /v2/models/${name}/infer`;
  log(`${pc.green('ready')} ${url} serves pipeline ${name} (${paths})`);
}

function log(text: string): void {
  process.stderr.write(`${pc.dim(new Date().toISOString())} ${text}\n`);
}

function logEvent(event: LoopEvent): void {
  if (event.kind === 'failed')
    log(
      `${pc.red(`${event.step} failed`)}: ${event.error instanceof Error ? event.error.message : String(event.error)}`,
    );
  else if (event.kind === 'in-force')
    log(`plan in force after ${event.tookMs.toFixed(0)} ms: ${choiceText(event.plan)}`);
  else log(decisionText(event.record.decision));
}

function decisionText({ kind, reason, evidence }: Decision): string {
  return `${kind}: ${reason} (${evidence.forecast.meanRps.toFixed(1)} rps expected, planned for ${evidence.forecast.upperRps.toFixed(1)})`;
}
