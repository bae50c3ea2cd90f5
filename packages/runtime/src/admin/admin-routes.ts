/** Routes of the admin port. The reference page is generated from them. */
import type { z } from 'zod';
import type { Route } from '../net/router.js';
import { applyBody, clearQuarantineBody, pageQuery, pinBody, planBody, reasonBody, unpinBody } from './admin-bodies.js';
import {
  type AdminEndpoint,
  advise,
  apply,
  clearQuarantine,
  decision,
  decisions,
  pause,
  pin,
  pipeline,
  pipelines,
  plan,
  quarantine,
  resume,
  rollBack,
  runningPlan,
  unpin,
} from './admin-endpoints.js';

export interface AdminRoute extends Route {
  readonly summary: string;
  /** Content of a 200, for the reference. */
  readonly answer: string;
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  readonly endpoint: AdminEndpoint<never>;
}

const PIPELINE = '/admin/pipelines/{pipeline}';
const RECORD = '`{result: TEXT, …}`: in a line what it came to, then the entry of the log of decisions that it made';

/** All routes except health, metrics and events. */
export const adminRoutes: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/admin/pipelines',
    endpoint: pipelines,
    summary: 'The pipelines that are served.',
    answer: '`{pipelines: [PIPELINE]}`',
  },
  {
    method: 'GET',
    path: PIPELINE,
    endpoint: pipeline,
    summary: 'How a pipeline stands: its mode, its pins, what is at fault.',
    answer:
      'PIPELINE: `{name, mode, fixed, ready, pins, lostPins?: [TEXT], faults: [{step, message, sinceEpochMs, count}], slo, budget, objective, specDigest, inFlight, arrivalRps, requests: {arrived, completed, withinSlo, failed, dropped: {REASON: count}}}`, the rate over the last 10 s, requests since the start',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/running-plan`,
    endpoint: runningPlan,
    summary: 'What runs now, replica by replica.',
    answer:
      '`{stages: {STAGE: {replicas: [{replicaId, variantId, resources, status}], maxBatchSize, maxBatchWaitMs, queueLength, canary?: {variantId, fraction, missingOutcomes}}}}`; `canary` while a new variant is tried',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/quarantine`,
    endpoint: quarantine,
    summary: 'The inputs that are refused because a stage hung on them.',
    answer:
      '`{inputs: [{stageId, tenant?, digest, leftMs}]}`, the least recently sent first; `tenant` if the server knows its tenants, `leftMs` until the input is tried again',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/quarantine/clear`,
    body: clearQuarantineBody,
    endpoint: clearQuarantine,
    summary: 'Frees quarantined inputs, of a stage or of all: they are tried again.',
    answer: '`{freed: NUMBER}`',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/plan`,
    body: planBody,
    endpoint: plan,
    summary:
      'What would be: the plan for a rate, under other bounds if wanted, and the changes from what runs. Nothing is changed.',
    answer: '`{result, changes}`: what `equipoise plan --json` answers, and the changes',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/decisions`,
    query: pageQuery,
    endpoint: decisions,
    summary: 'The log of decisions, newest first, page by page.',
    answer:
      '`{decisions: [{id, atEpochMs, trigger, mode, kind?, reason?, manual?, outcome?, observed?}], nextBefore?}`; `nextBefore` is the `before` of the next page',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/decisions/{decision}`,
    endpoint: decision,
    summary: 'One decision with all that it rested on.',
    answer: 'the `record` of `equipoise explain --json`',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/pause`,
    body: reasonBody,
    endpoint: pause,
    summary: 'Mode `off`: the loop neither plans nor changes anything.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/resume`,
    body: reasonBody,
    endpoint: resume,
    summary: 'Mode `auto`: the loop plans and acts.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/advise`,
    body: reasonBody,
    endpoint: advise,
    summary: 'Mode `advise`: the loop decides and writes it down, and changes nothing.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/pin`,
    body: pinBody,
    endpoint: pin,
    summary:
      'Holds a stage to a variant, cores, a batch size or a number of replicas, in place of what was pinned before.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/unpin`,
    body: unpinBody,
    endpoint: unpin,
    summary: 'Lets a stage go, or all. Pins of the pipeline file stay.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/apply`,
    body: applyBody,
    endpoint: apply,
    summary:
      'Puts the plan of a decision, or a plan that is given, in force. Mode `auto` becomes `advise`. During a canary it answers after the verdict.',
    answer: `${RECORD}, with its outcome`,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/roll-back`,
    body: reasonBody,
    endpoint: rollBack,
    summary:
      'Puts the good plan before the one that runs in force again, also during a canary or another change. Mode `auto` becomes `advise`.',
    answer: `${RECORD}, with its outcome`,
  },
] as const;
