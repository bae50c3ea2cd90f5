/** Control loop, queues and evaluation. */
import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, fraction, nonNegative, positive, text } from './scalars.js';

const MOST_PRIORITIES = 10;
/** Tolerance of the sum of rounded fractions. */
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
        'Time between two looks for bursts, in milliseconds: more arrives than was planned for, and capacity is added at once.',
      ),
    minDwellMs: nonNegative()
      .default(fieldDefaults.minDwellMs)
      .describe("Least time between two switches of a stage's variant, in milliseconds."),
    surge: z
      .strictObject({
        cpuCores: nonNegative().describe('Cores above the budget while old and new replicas overlap.'),
      })
      .optional()
      .describe(
        'What a change may use above the budget for a while. Not kept yet: a change starts all new replicas of a stage beside the old.',
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
        'By priority, the most urgent (1) first: the least share of what starts at a stage that goes to it while it and others wait there. What is left goes to the most urgent. Their sum is at most 1.',
      ),
    default: count().default(fieldDefaults.priority).describe('Priority of requests that state none, or 0.'),
  })
  .check(({ value: { shares, default: priority }, issues }) => {
    const sum = shares.reduce((total, share) => total + share, 0);
    const problem = (message: string) => issues.push({ code: 'custom', input: shares, path: ['shares'], message });
    if (sum > 1 + SUM_TOLERANCE) problem(`expected shares whose sum is at most 1, found a sum of ${sum.toFixed(3)}`);
    if (priority > shares.length)
      problem(`expected at least ${priority} shares, so that the default priority has one, found ${shares.length}`);
  })
  .prefault({})
  .describe('How urgent requests can be.');

/** `spec.admission`. */
export const admissionSchema = z
  .strictObject({
    maxQueueLength: count()
      .default(fieldDefaults.maxQueueLength)
      .describe(
        'Most items queued at one stage; beyond it a request is dropped: the last of the least urgent, if the one that comes is more urgent. A fan-out into more items than that fails its request.',
      ),
    maxWaitFraction: fraction()
      .default(fieldDefaults.maxWaitFraction)
      .describe(
        'Largest part of the time that a request has left at a stage, after the work that it still needs, that it may be expected to wait there; one that would wait longer is dropped at once. The rest is room for what takes longer than expected.',
      ),
    answerMarginMs: nonNegative()
      .optional()
      .describe(
        'Time before its deadline by which a request is to be done, or is given up, in milliseconds: room for what takes longer than expected and for the answer itself, so that either is there in time. A request gives at most half of the time that it has beyond the work itself. Left out, `serve` keeps a fiftieth of `slo.latencyMs`, at most 10 ms, and simulations keep none.',
      ),
    maxInFlightBytes: count()
      .default(fieldDefaults.maxInFlightBytes)
      .describe('Most bytes of request tensors in flight; a request beyond it is dropped at once.'),
    priorities: prioritiesSchema,
  })
  .prefault({})
  .describe('Bounds on what waits.');

/** `spec.evaluation`. */
export const evaluationSchema = z
  .strictObject({
    module: text().describe('Code that scores the answers; a path relative to this file.'),
    data: text().describe('Folder of labelled samples; a path relative to this file.'),
  })
  .optional()
  .describe('What `equipoise evaluate` measures end-to-end accuracy with.');
