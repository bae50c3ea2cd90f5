import { bindingText, type PipelineSpec } from '@equipoise/core/model';
import type { RunningServer } from '@equipoise/runtime';
import pc from 'picocolors';
import type { FirstPlan } from '../compose/first-plan.js';
import type { SavedState } from '../compose/saved-state.js';
import { servingSpec } from '../compose/served-spec.js';
import type { RunningPipeline } from '../compose/start-pipeline.js';
import { counted } from '../terminal/counted.js';
import { learnedEdgeText } from '../terminal/decision-text.js';
import { log, warn } from '../terminal/log.js';
import { coresText, planSummary, planTable } from '../terminal/plan-table.js';
import { robustText } from '../terminal/plan-text.js';

export function warnOfCores(spec: PipelineSpec): void {
  const { cpuCores } = spec.budget;
  const machine = servingSpec(spec).budget.cpuCores;
  if (cpuCores === undefined || machine === undefined || cpuCores <= machine) return;
  warn(`the budget is ${coresText(cpuCores)}, but this machine has ${machine}; plans use at most ${machine}`);
}

export function warnOfFiles(connections: number, wanted: number): void {
  if (connections >= wanted) return;
  const remedy = `raise the limit, for example by \`ulimit -n 16384\``;
  warn(`too few files may be open for ${wanted} connections per port; each port takes ${connections}: ${remedy}`);
}

export interface StartFacts {
  readonly modeText: string;
  readonly startMs: number;
  readonly adminUrl: string | undefined;
}

export function logStart(server: RunningServer, pipeline: RunningPipeline, facts: StartFacts): void {
  logFirstPlan(pipeline);
  const { name } = pipeline.spec;
  const { grpcAddress } = server;
  if (grpcAddress !== undefined) log(`gRPC on ${grpcAddress}: inference.GRPCInferenceService, grpc.health.v1.Health`);
  log(readyText(server, name, facts));
}

function readyText({ url, heldRequests }: RunningServer, name: string, facts: StartFacts): string {
  const { modeText, startMs, adminUrl } = facts;
  const waited = heldRequests === 0 ? '' : `; ${counted(heldRequests, 'request')} waited`;
  const started = `started in ${(startMs / 1000).toFixed(1)} s${waited}`;
  const run = `${url}/v1/pipelines/${name}/run`;
  const watch = adminUrl === undefined ? '' : `; watch and control it at ${adminUrl}`;
  return `${pc.green('ready')} ${url} serves pipeline ${name} (POST ${run} or /v2/models/${name}/infer), ${modeText}; ${started}${watch}`;
}

function logFirstPlan({ spec: { robustness }, first, kept }: RunningPipeline): void {
  for (const what of kept.passedOver) log(`not restored: ${what}`);
  if (first.kind === 'made') {
    const { passedOver, lostPins, result } = first;
    if (lostPins !== undefined) warn(`saved pins are ignored: ${lostPins}`);
    if (passedOver !== undefined) log(`the last good plan is not restored: ${passedOver}`);
    if (result.kind !== 'feasible') {
      warn(`no plan meets the SLO: ${bindingText(result.bindingConstraint)}; a best effort serves`);
    }
  }
  const restored = restoredText(kept);
  if (restored !== undefined) log(restored);
  const title = titleOf(first);
  const robust = robustness === undefined ? '' : `\n${robustText(robustness)}`;
  log(`${title}:\n${planTable(first.plan)}\n${planSummary(first.plan)}${robust}`);
}

function titleOf(first: FirstPlan): string {
  if (first.kind !== 'resumed') return 'the first plan';
  return first.ofLead ? 'the plan of the lead' : 'the last good plan';
}

function restoredText({ controller: { learning, service, edges }, wishes: { pins } }: SavedState): string | undefined {
  const corrected = new Set(service?.corrections.map(({ stageId, variantId }) => `${stageId}/${variantId}`));
  const pinned = Object.keys(pins);
  const parts = [
    ...(learning === undefined
      ? []
      : [`forecasters trained on ${counted(learning.historyRps.length, 'value')} of the load`]),
    ...(corrected.size === 0 ? [] : [`corrections of the profile of ${[...corrected].join(', ')}`]),
    ...(edges === undefined || edges.inForce.length === 0 ? [] : [edges.inForce.map(learnedEdgeText).join(', ')]),
    ...(pinned.length === 0 ? [] : [`pins of ${pinned.join(', ')}`]),
  ];
  return parts.length === 0 ? undefined : `restored ${parts.join(' and ')}`;
}

export function unfinishedText({ runner, actuator }: RunningPipeline): string {
  const replicas = Object.values(actuator.runningPlan().stages).flatMap((stage) => stage.replicas);
  const names = replicas.map(({ replicaId, status }) => `${replicaId} (${status})`).join(', ');
  return `running requests: ${runner.inFlight}; replicas not closed: ${names === '' ? 'none' : names}`;
}
