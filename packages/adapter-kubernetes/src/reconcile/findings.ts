import { childTypes, type ObservedDeployment } from '../cluster/observed-objects.js';
import {
  disruptions,
  nodeIssues,
  podIssues,
  podRefusal,
  type RolloutState,
  rolloutState,
} from '../cluster/rollout-state.js';
import type { PipelineCondition } from '../crd/status-schema.js';
import type { ChildRefusal, ObservedPipeline, Phase, Planning } from './reconciliation.js';
import type { ForeignReplicas } from './replica-groups.js';
import type { Rollback } from './rollback.js';
import type { Work } from './transition.js';

export interface FindingInput {
  readonly view: ObservedPipeline;
  readonly planning: Planning;
  readonly phase: Phase;
  readonly live: ReadonlyMap<string, ObservedDeployment>;
  readonly foreign: readonly ForeignReplicas[];
  readonly nowEpochMs: number;
  readonly canary: Work['canary'];
  readonly rollback: Rollback | undefined;
  readonly isQuiet: boolean | undefined;
}

/** Findings, one for each condition type. */
export function findingsOf(grounds: FindingInput): readonly Finding[] {
  return [
    acceptedFinding(grounds),
    plannedFinding(grounds),
    readyFinding(grounds),
    sloMetFinding(grounds),
    degradedFinding(grounds),
  ];
}

function acceptedFinding({ planning }: FindingInput): Finding {
  if (planning.kind === 'invalid') return no('Accepted', 'Invalid', planning.message);
  return yes('Accepted', 'Valid', 'The pipeline is well-formed.');
}

function plannedFinding({ planning }: FindingInput): Finding {
  switch (planning.kind) {
    case 'invalid':
      return no('Planned', 'Invalid', 'There is no plan for a pipeline that was not accepted.');
    case 'off':
      return unknown('Planned', 'ControlOff', 'control.mode is off: nothing is planned.');
    case 'unplanned':
      return no('Planned', planning.reason, planning.message);
    case 'planned': {
      const { shortfall } = planning;
      const { latencyMs, percentile, costPerHour } = planning.plan.predicted;
      const advice = planning.mode === 'advise' ? ' It is advised and not applied: control.mode is advise.' : '';
      const message = `The plan is predicted to answer ${percentile} % within ${latencyMs.toFixed(1)} ms at ${costPerHour.toFixed(2)} an hour.${advice}`;
      if (shortfall !== undefined) return no('Planned', 'BestEffort', `${shortfall}${advice}`);
      return yes('Planned', planning.mode === 'advise' ? 'Advised' : 'PlanFound', message);
    }
  }
}

function readyFinding({ view, live, phase, canary, isQuiet, nowEpochMs }: FindingInput): Finding {
  if (live.size === 0) return no('Ready', 'NothingDeployed', 'The pipeline has no workloads.');
  // The routers restart at each step; one message covers all restarts.
  if (canary !== undefined) {
    const percent = Math.round(100 * canary.fraction);
    const quiet = isQuiet ? ' There are too few of them for a verdict yet: the step takes up to two minutes.' : '';
    return no('Ready', 'Shifting', `${percent} % of the requests go to ${canary.workloads.join(', ')}.${quiet}`);
  }
  if (phase === 'taken-back') return no('Ready', 'RolledBack', 'The plan was rolled back: the previous plan serves.');
  const open = [...live].flatMap(([name, deployment]) => {
    const state = rolloutState(deployment);
    return state.kind === 'complete'
      ? []
      : [{ isStarting: isStarting(state), text: `${name}: ${progressText(state)}` }];
  });
  if (open.length > 0) {
    const reason = open.some(({ isStarting: starts }) => starts) ? 'ReplicasStarting' : 'ReplicasStopping';
    const causes = podIssues(view.pods, nowEpochMs - RECENT_MS).map(({ message }) => message);
    return no('Ready', reason, [...open.map(({ text }) => text), ...causes, ...disruptions(view.pods)].join('; '));
  }
  if (phase === 'ending') return no('Ready', 'Ending', 'The pipeline was deleted and is being drained.');
  if (phase === 'preparing') return no('Ready', 'Preparing', 'The stages of the plan are being started.');
  if (phase === 'sharing') {
    return no(
      'Ready',
      'Sharing',
      'There is no room for all of the old and the new replicas: they are exchanged one by one.',
    );
  }
  if (phase === 'no-room') return no('Ready', NO_ROOM, NO_ROOM_MESSAGE);
  if (phase === 'switching') return no('Ready', 'Switching', 'The router is being switched to the plan.');
  const [missing] = (view.refusals ?? []).filter((refusal) => isMissing(refusal, view));
  if (missing !== undefined)
    return no('Ready', missing.reason, `The pipeline has no ${missing.kind} ${missing.name}: ${missing.message}`);
  return yes('Ready', 'AllReady', 'All replicas are ready.');
}

/** True if a refused write leaves the pipeline without the object, and not only with an older one. */
const isMissing = ({ kind, name }: ChildRefusal, { children }: ObservedPipeline): boolean =>
  childTypes[kind] !== undefined && !children.some((child) => child.kind === kind && child.metadata.name === name);

type UnfinishedRollout = Exclude<RolloutState, { kind: 'complete' }>;

const isStarting = (state: UnfinishedRollout): boolean => state.kind === 'stuck' || state.ready < state.wanted;

function progressText(state: UnfinishedRollout): string {
  if (state.kind === 'stuck') return state.message;
  const { ready, wanted, leaving } = state;
  if (ready < wanted) return `${ready} of ${wanted} ready`;
  if (leaving === 0) return `the cluster has not counted its ${wanted} replicas yet`;
  return `all ${wanted} ready; ${leaving} earlier ${leaving === 1 ? 'pod has' : 'pods have'} still to stop`;
}

const STALE = ['RouterUnreachable', 'MetricsMissing'];

function sloMetFinding({ view: { observed, issue } }: FindingInput): Finding {
  if (issue !== undefined && STALE.includes(issue.reason)) return unknown('SLOMet', issue.reason, issue.message);
  if (observed?.sloAttainmentFraction === undefined) {
    return unknown('SLOMet', 'NotObserved', 'There are no metrics of the requests of the last window.');
  }
  const { sloAttainmentFraction, percentile } = observed;
  const text = `${(100 * sloAttainmentFraction).toFixed(2)} % of the requests were answered within the SLO, of ${percentile} % that should be.`;
  const isMet = sloAttainmentFraction >= percentile / 100;
  return isMet ? yes('SLOMet', 'WithinSlo', text) : no('SLOMet', 'SloMissed', text);
}

const NO_ROOM = 'NoRoom';
const NO_ROOM_MESSAGE =
  'There is no headroom for a new replica next to those that serve: raise control.surge.cpuCores or leave headroom in the budget.';

/** An OOM kill or an eviction stays an issue for this time, because the container or pod is replaced within seconds. */
const RECENT_MS = 600_000;

const OVERLAP_MESSAGE =
  'Another operator writes this pipeline, too, so that each takes back what the other does. Let one operator follow its namespace: see --namespace and --all-namespaces of both, or give both the same lease.';

/** Reasons that a bad node explains. */
const EFFECTS_OF_NODES = ['AsPlanned', 'RolloutStuck', 'RouterUnreachable'];
/** Conditions of nodes that a message names. */
const MOST_CONDITIONS = 5;

/**
 * The message names bad nodes, whatever else it names. They give the reason only if nothing else does, or if they explain
 * it. A person can mend a fault of the pipeline or of its pods.
 */
function degradedFinding(input: FindingInput): Finding {
  const own = pipelineFinding(input);
  const { nodeConditions = [] } = input.view;
  const [first] = nodeConditions;
  if (first === undefined) return own;
  const named = nodeConditions.slice(0, MOST_CONDITIONS).map(({ message }) => message);
  const unnamed = nodeConditions.length - named.length;
  const nodes = unnamed === 0 ? named : [...named, `and ${unnamed} more`];
  const ownTexts = own.status === 'True' ? [own.message.replace(/\.$/, '')] : [];
  if (EFFECTS_OF_NODES.includes(own.reason)) return yes('Degraded', first.reason, [...nodes, ...ownTexts].join('; '));
  return yes('Degraded', own.reason, [...ownTexts, ...nodes].join('; '));
}

function pipelineFinding({ view, live, foreign, phase, rollback, nowEpochMs }: FindingInput): Finding {
  if (view.hasOverlap === true) return yes('Degraded', 'OperatorsOverlap', OVERLAP_MESSAGE);
  const refused = refusalsFinding(view.refusals ?? []);
  if (refused !== undefined) return refused;
  const [first] = foreign;
  if (first !== undefined) {
    const each = foreign.map(
      ({ deployment, manager, replicas, wanted }) =>
        `${deployment} has ${replicas} replicas by ${manager}, the plan wants ${wanted}`,
    );
    return yes(
      'Degraded',
      'ForeignReplicas',
      `${each.join('; ')}. Equipoise leaves replicas of foreign writers alone.`,
    );
  }
  if (rollback !== undefined && nowEpochMs < Date.parse(rollback.until)) {
    return yes('Degraded', 'RolledBack', `${rollback.message} The next attempt is not before ${rollback.until}.`);
  }
  const sinceEpochMs = nowEpochMs - RECENT_MS;
  const issues = [...podIssues(view.pods, sinceEpochMs), ...nodeIssues(view.ended ?? [], sinceEpochMs)];
  const [issue] = issues;
  if (issue !== undefined) return yes('Degraded', issue.reason, issues.map(({ message }) => message).join('; '));
  const refusedPods = [...live].flatMap(([name, deployment]) => {
    const refusal = podRefusal(deployment);
    return refusal === undefined ? [] : [`${name}: ${refusal}`];
  });
  if (refusedPods.length > 0) return yes('Degraded', 'PodsRefused', refusedPods.join('; '));
  const stuck = [...live].flatMap(([name, deployment]) => {
    const state = rolloutState(deployment);
    return state.kind === 'stuck' ? [`${name}: ${state.message}`] : [];
  });
  if (stuck.length > 0) return yes('Degraded', 'RolloutStuck', stuck.join('; '));
  if (phase === 'no-room') return yes('Degraded', NO_ROOM, NO_ROOM_MESSAGE);
  if (view.issue !== undefined) return yes('Degraded', view.issue.reason, view.issue.message);
  return no('Degraded', 'AsPlanned', 'Nothing is wrong.');
}

/** A taken name comes first: only a person can free it. */
function refusalsFinding(refusals: readonly ChildRefusal[]): Finding | undefined {
  const isTaken = refusals.some(({ reason }) => reason === 'NameTaken');
  const texts = refusals.map(({ kind, name, reason, message }) =>
    reason === 'NameTaken' ? message : `${kind} ${name}: ${message}`,
  );
  if (texts.length === 0) return undefined;
  return yes('Degraded', isTaken ? 'NameTaken' : 'ApplyFailed', texts.join('; '));
}

const yes = (type: Finding['type'], reason: string, message: string): Finding => ({
  type,
  status: 'True',
  reason,
  message,
});
const no = (type: Finding['type'], reason: string, message: string): Finding => ({
  type,
  status: 'False',
  reason,
  message,
});
const unknown = (type: Finding['type'], reason: string, message: string): Finding => ({
  type,
  status: 'Unknown' as const,
  reason,
  message,
});

export type Finding = Pick<PipelineCondition, 'type' | 'status' | 'reason' | 'message'>;

/** Maximum message length that the definition allows. */
const MOST_MESSAGE = 32_768;

/** Conditions with their times. The transition time changes only with the status of a condition. */
export function conditionsOf(
  findings: readonly Finding[],
  before: readonly PipelineCondition[],
  at: { readonly generation: number; readonly epochMs: number },
): readonly PipelineCondition[] {
  const now = new Date(at.epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return findings.map(({ type, status, reason, message }) => {
    const old = before.find((condition) => condition.type === type);
    return {
      type,
      status,
      reason,
      message: message.slice(0, MOST_MESSAGE),
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
      observedGeneration: at.generation,
    };
  });
}
