import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, fraction, nonNegative, positive, text } from './scalars.js';

const MOST_PRIORITIES = 10;
/** Tolerance of a sum of rounded fractions. */
const SUM_TOLERANCE = 1e-6;

/** `spec.control`. */
export const controlSchema = z
  .strictObject({
    mode: z
      .enum(['auto', 'advise', 'off'])
      .default(fieldDefaults.controlMode)
      .describe('`auto` plans and acts, `advise` plans and changes nothing, `off` never plans.'),
    intervalMs: positive().default(fieldDefaults.intervalMs).describe('Time between two plans, in milliseconds.'),
    fastIntervalMs: positive()
      .default(fieldDefaults.fastIntervalMs)
      .describe(
        'Time between two checks for bursts, in milliseconds. If more requests arrive than the plan can carry, capacity is added at once.',
      ),
    minDwellMs: nonNegative()
      .default(fieldDefaults.minDwellMs)
      .describe("Least time between two switches of a stage's variant, in milliseconds."),
    canary: z
      .boolean()
      .default(fieldDefaults.canary)
      .describe(
        'A variant that has not served before gets 10 %, then 50 %, then all of the requests, and is rolled back if it performs worse. Not used if there is no headroom for its first replica next to the old ones, nor at stages with `idempotent: false`.',
      ),
    surge: z
      .strictObject({
        cpuCores: nonNegative().describe('Cores above the budget while old and new replicas overlap.'),
        maxSeconds: positive()
          .optional()
          .describe(
            'Longest time until all replicas of a change, or of a canary step, have started on one machine. Then the change fails, and the stage returns to its plan. Default: no limit.',
          ),
      })
      .optional()
      .describe(
        'Temporary use above the budget during a change. Default: one replica of the largest kind in the old and new plans.',
      ),
  })
  .prefault({})
  .describe('How the control loop acts.');

const prioritiesSchema = z
  .strictObject({
    shares: z
      .array(fraction())
      .min(1)
      .max(MOST_PRIORITIES)
      .default([...fieldDefaults.priorityShares])
      .describe(
        'Minimum fraction of the items that a stage starts, for each priority, the most urgent (1) first. It applies while several priorities wait at the stage. The rest goes to the most urgent. The sum is at most 1.',
      ),
    default: count().default(fieldDefaults.priority).describe('Priority of requests with no priority or 0.'),
  })
  .check(({ value: { shares, default: priority }, issues }) => {
    const sum = shares.reduce((total, share) => total + share, 0);
    const problem = (message: string) => issues.push({ code: 'custom', input: shares, path: ['shares'], message });
    if (sum > 1 + SUM_TOLERANCE) problem(`expected shares whose sum is at most 1, found a sum of ${sum.toFixed(3)}`);
    if (priority > shares.length)
      problem(`expected at least ${priority} shares, so that the default priority has one, found ${shares.length}`);
  })
  .prefault({})
  .describe('Priorities of requests.');

/** `spec.admission`. */
export const admissionSchema = z
  .strictObject({
    maxQueueLength: count()
      .default(fieldDefaults.maxQueueLength)
      .describe(
        'Most items queued at one stage. If the queue is full, the new request is dropped, or the last of the least urgent requests if the new one is more urgent. A fan-out into more items than this fails its request.',
      ),
    maxWaitFraction: fraction()
      .default(fieldDefaults.maxWaitFraction)
      .describe(
        'Longest expected wait of a request at a stage, as a fraction of its slack: the time until its deadline minus its remaining work. A request that would wait longer is dropped at once as `wait-too-long`. The rest of the slack is a reserve for work that takes longer than expected.',
      ),
    answerMarginMs: nonNegative()
      .optional()
      .describe(
        'Reserve for delays and for sending the answer, in milliseconds. A request that cannot end this long before its deadline is dropped. The reserve is at most half of the slack of a request (its time limit minus its work). Default: 2 % of `slo.latencyMs`, at most 10 ms, in `serve`; 0 in simulations.',
      ),
    maxInFlightBytes: count()
      .default(fieldDefaults.maxInFlightBytes)
      .describe('Most bytes of request tensors in flight. A request that would exceed it is dropped at once.'),
    priorities: prioritiesSchema,
  })
  .prefault({})
  .describe('Limits of queues.');

/** `spec.evaluation`. */
export const evaluationSchema = z
  .strictObject({
    module: text().describe('Code that scores the answers; a path relative to this file.'),
    data: text().describe('Folder of labelled samples; a path relative to this file.'),
  })
  .optional()
  .describe('Data and code with which `equipoise evaluate` measures end-to-end accuracy.');
