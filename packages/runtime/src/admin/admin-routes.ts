/** Routes of the admin port. The reference page is generated from them. */
import type { z } from 'zod';
import type { Route } from '../net/router.js';
import type { Refusals } from '../openapi/openapi-document.js';
import { answers } from './admin-answers.js';
import {
  applyBody,
  clearQuarantineBody,
  frontierQuery,
  historyQuery,
  pageQuery,
  pinBody,
  planBody,
  reasonBody,
  requestsQuery,
  unpinBody,
  whyBody,
} from './admin-bodies.js';
import {
  type AdminEndpoint,
  type AdminPipeline,
  advise,
  apply,
  clearQuarantine,
  decision,
  decisions,
  history,
  pause,
  pin,
  pipeline,
  pipelines,
  plan,
  quarantine,
  requests,
  resume,
  rollBack,
  runningPlan,
  sources,
  unpin,
  why,
} from './admin-endpoints.js';
import { counts, graph } from './graph-endpoints.js';
import { frontier, profiles } from './plan-endpoints.js';

export interface AdminRoute<Pipeline = AdminPipeline> extends Route {
  /** Name of the operation in generated clients. */
  readonly id: string;
  readonly summary: string;
  /** Content of a response with status 200, for the reference page. */
  readonly answer: string;
  readonly schema: z.ZodType;
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  /** Default: `admin`. */
  readonly refusals?: Refusals;
  readonly endpoint: AdminEndpoint<never, Pipeline>;
}

const PIPELINE = '/admin/pipelines/{pipeline}';
const RECORD =
  '`{result: TEXT, id, …}`: the result in one line, and the new entry of the decision log without observation, input and evidence (`GET …/decisions/{id}` has them)';

export const adminRoutes: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/admin/pipelines',
    endpoint: pipelines,
    id: 'pipelines',
    schema: answers.pipelines,
    summary: 'Lists all served pipelines.',
    answer: '`{pipelines: [PIPELINE]}`',
  },
  {
    method: 'GET',
    path: PIPELINE,
    endpoint: pipeline,
    id: 'pipeline',
    schema: answers.pipeline,
    summary: 'Returns the state of a pipeline: its mode, pins and faults.',
    answer:
      'PIPELINE: `{name, mode, fixed, follows?, ready, pins, lostPins?: [TEXT], faults: [{step, message, sinceEpochMs, count}], slo, budget, objective, specDigest, inFlight, arrivalRps, requests: {arrived, completed, withinSlo, failed, dropped: {REASON: count}}, signals: [{source, ageMs?}], elsewhere?}`; `signals` has the age of the newest data of each source that decisions use, without `ageMs` before the first; `elsewhere` is present on the port of an operator; `follows` is `true` at a router whose lead is another router of its machine, and such a router is `fixed`, too; `lostPins` has the reasons why earlier pins were dropped; `arrivalRps` is the rate over the last 10 s; `requests` counts since the start of the server',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/running-plan`,
    endpoint: runningPlan,
    id: 'runningPlan',
    schema: answers.runningPlan,
    summary: 'Returns the running plan with all replicas.',
    answer:
      '`{stages: {STAGE: {replicas: [{replicaId, variantId, resources, status}], maxBatchSize, maxBatchWaitMs, queueLength, omitted?: true, threshold?, quorum?, canary?: {variantId, fraction, missingOutcomes}, rolledBack?: [{variantId, untilMs}]}}}`; `canary` is present while a new variant is in its canary steps. `rolledBack` lists the variants of failed changes, which the loop avoids until `untilMs` (on the clock of `atMs` in observations)',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/sources`,
    endpoint: sources,
    id: 'sources',
    schema: answers.sources,
    summary: 'Returns the parts of each source since the start, with their outcomes.',
    answer:
      '`{waiting, sources: [{name, onMissing, statedShare, parts?: {joined, missing, unmatched, late, duplicate, kept, dropped}, fractions?: {joined, missing, unmatched, late}}]}`; `parts` are those of `equipoise_source_parts_total`. `joined` and `missing` are fractions of the requests that began, `unmatched` and `late` of the parts. `waiting` is the number of requests that wait for parts',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/graph`,
    endpoint: graph,
    id: 'graph',
    schema: answers.graph,
    summary: 'Returns the stages, variants and edges of a pipeline as its file describes them.',
    answer:
      '`{slo, budget, objective, intervalMs, sources: [{name, to}], stages: [{stageId, kind, optional?, pins, variants: [{variantId, accuracy?, cpuCores}], bounds}], combines: [{stageId, method}], edges: [{from, to, fanOut?, join?, when?: {condition, probability}}], outputs: [{from, unless?}]}`',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/counts`,
    endpoint: counts,
    id: 'counts',
    schema: answers.counts,
    summary: 'Returns counts of requests, stages and edges since the start of the server. Rates are differences.',
    answer:
      '`{atEpochMs, inFlight, requests, latencyMs?: {p50, atPercentile}, stages: {STAGE: {queueLength, items, batches, busyMs, waitMs, failedItems, retriedItems, dropped}}, edges: [{offered, taken, fanOuts, items}]}`; `latencyMs` covers the last 10 s (at an operator the last minute), `edges` are in the order of `GET …/graph`',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/frontier`,
    query: frontierQuery,
    endpoint: frontier,
    id: 'frontier',
    schema: answers.frontier,
    summary: 'Searches the most accurate plan for each cost. Takes seconds; at most 4 such questions wait at a time.',
    answer:
      '`{arrivalRps, points: [{pas, costPerHour, cpuCores, plan}], complete, toleranceFraction, omittedPoints, current?: {pas, costPerHour, cpuCores}}`, the cheapest point first; `{arrivalRps, result, current?}` with the output of `equipoise plan --json` if no plan meets the SLO. `current` is the running plan. There are at most 16 points; the pins of now apply',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/profiles`,
    endpoint: profiles,
    id: 'profiles',
    schema: answers.profiles,
    summary: 'Returns the profiles of all variants, with the fitted curve that plans use.',
    answer:
      '`{profiles: [{stageId, variantId, loadMs, scaled?, curves: [{cpuCores, points: [{batchSize, meanMs?, p50Ms?, p95Ms?, p99Ms?, throughputRps?, memoryBytes?, meanUncertaintyFraction?, learnedFactor?, fittedMs?}]}]}]}`; `fittedMs` is absent for core counts that no plan may use',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/quarantine`,
    endpoint: quarantine,
    id: 'quarantine',
    schema: answers.quarantine,
    summary: 'Lists the inputs that the server refuses because they hung a stage.',
    answer:
      '`{inputs: [{stageId, tenant?, digest, leftMs}]}`, the least recently sent input first. `tenant` is present if the server has tenants; `leftMs` is the time until the server accepts the input again',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/quarantine/clear`,
    body: clearQuarantineBody,
    endpoint: clearQuarantine,
    id: 'clearQuarantine',
    schema: answers.freed,
    summary: 'Frees the quarantined inputs of one stage or of all stages. The server accepts these inputs again.',
    answer: '`{freed: NUMBER}`',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/plan`,
    body: planBody,
    endpoint: plan,
    id: 'plan',
    schema: answers.planned,
    summary:
      'Makes a plan for a rate, optionally with another SLO, budget, objective or pins, and lists the changes from the running plan. Does not apply them.',
    answer: '`{result, changes}`: the output of `equipoise plan --json`, and the changes',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/history`,
    query: historyQuery,
    endpoint: history,
    id: 'history',
    schema: answers.history,
    summary: 'Returns the last hour in points of one or more seconds, the oldest first.',
    answer:
      '`{stepMs, points: [{atEpochMs, arrivalRps, forecastRps?, forecastUpperRps?, completedRps, lateRps, failedRps, drops: {REASON: rps}, p50Ms, p99Ms, accuracy?, cost?, cpuCores: {used, planned?}, stages: {STAGE: {arrivalRps, droppedRps, p99Ms?, queueLength, batchLimit, batchSize?, batchFill?, cpuCores, replicas: {starting, ready, draining, unhealthy}}}}], latencies: [{upToMs, count}]}`. `atEpochMs` is the end of a point, `stepMs` its usual length. Rates are means. Latencies (of completed requests; null without any) and queue lengths are maxima. All else is the value at the end. `cost` is per hour; `used` are the cores of busy replicas; `planned` is absent before the first plan, and while a stage has no ready replica; `batchFill` is the mean batch size divided by the largest of the plan (`batchLimit`), and absent if batches of an earlier plan were larger than that; the `cpuCores` of a stage are those of all replicas that have not failed; the `p99Ms` of a stage is the wait and the service of an item. `latencies` counts completed requests by latency, in buckets of 9 %, in all minutes that overlap the range',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/why`,
    body: whyBody,
    endpoint: why,
    id: 'why',
    schema: answers.incidentCard,
    summary: 'Finds out why requests were dropped, late or failed in a window of the last hour.',
    answer:
      'the incident card, as `equipoise why --json` prints it: `{verdict: "healthy" | "incident" | "no-data", …}`; an incident has `harm`, `episode`, `cause`, `stageId?`, `replicaId?`, `summary`, `firstSignal`, `evidence: [{text, measured?, expected?, low?, high?}]`, `runnerUp?` and `counterfactual?: {text, holds, requests?, missed?, plan?, budgetCores?}`',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/decisions`,
    query: pageQuery,
    endpoint: decisions,
    id: 'decisions',
    schema: answers.decisions,
    summary: 'Returns the decision log in pages, the newest decision first.',
    answer:
      '`{decisions: [{id, atEpochMs, trigger, mode, kind?, reason?, manual?, outcome?, observed?}], nextBefore?}`; pass `nextBefore` as `before` to get the next page',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/decisions/{decision}`,
    endpoint: decision,
    id: 'decision',
    schema: answers.record,
    summary: 'Returns one decision with its inputs and evidence.',
    answer: 'the `record` of `equipoise explain --json`',
  },
  {
    method: 'GET',
    path: `${PIPELINE}/requests`,
    query: requestsQuery,
    endpoint: requests,
    id: 'requests',
    schema: answers.requests,
    summary:
      'Lists requests with the time that they spent at each stage: kept traces, the newest first, or the slowest requests, the slowest first. Payloads are not recorded.',
    answer:
      '`{tracing, requests: [{traceId, startedEpochMs, latencyMs, outcome, reason?, cause?, spans: [{stageId, variantId?, replicaId?, kind, startMs, endMs, batchSize?, failed?}], omittedVisits?}]}`. `tracing` is `false` if the server records no requests. `outcome` is `completed`, `dropped` or `failed`; `reason` is the reason of a drop or the error code. `cause` tells why the trace was kept: `sampled`, `requested` (by the caller), `slow` or `failed`. `kind` is `queue`, `batch` (a replica was free, but waited for a fuller batch), `hop` (to the replica and back) or `run`; `startMs` and `endMs` count from the start of the request. `omittedVisits` is the number of items beyond the 64 that are recorded',
  },
  {
    method: 'POST',
    path: `${PIPELINE}/pause`,
    body: reasonBody,
    endpoint: pause,
    id: 'pause',
    schema: answers.acted,
    summary: 'Sets mode `off`: the loop does not plan and changes nothing. Ends a canary that the loop began.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/resume`,
    body: reasonBody,
    endpoint: resume,
    id: 'resume',
    schema: answers.acted,
    summary: 'Sets mode `auto`: the loop plans and acts.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/advise`,
    body: reasonBody,
    endpoint: advise,
    id: 'advise',
    schema: answers.acted,
    summary:
      'Sets mode `advise`: the loop plans and logs its decisions, but changes nothing. Ends a canary that the loop began.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/pin`,
    body: pinBody,
    endpoint: pin,
    id: 'pin',
    schema: answers.acted,
    summary:
      'Pins the variant, cores, maximum batch size or number of replicas of a stage. Replaces earlier pins of the stage. A pin to another variant ends a canary of the stage.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/unpin`,
    body: unpinBody,
    endpoint: unpin,
    id: 'unpin',
    schema: answers.acted,
    summary: 'Removes the pins of one stage or of all stages. Pins of the pipeline file stay.',
    answer: RECORD,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/apply`,
    body: applyBody,
    endpoint: apply,
    id: 'apply',
    refusals: 'change',
    schema: answers.acted,
    summary:
      'Applies the plan of a decision, or the plan in the body. Mode `auto` becomes `advise`. If the change has a canary, the answer comes after its verdict.',
    answer: `${RECORD}, including its outcome`,
  },
  {
    method: 'POST',
    path: `${PIPELINE}/roll-back`,
    body: reasonBody,
    endpoint: rollBack,
    id: 'rollBack',
    refusals: 'change',
    schema: answers.acted,
    summary:
      'Applies the newest good plan (any applied plan except burst answers and best efforts of the loop) that differs from the running plan and carries the current load; if none of the five newest carries it, the newest good plan that differs. During a change or a canary, applies the newest good plan at once. Mode `auto` becomes `advise`.',
    answer: `${RECORD}, including its outcome; the answer has a \`warning\` if newer plans were passed over, if the plan is predicted to miss the SLO, or if it was not checked`,
  },
] as const;
